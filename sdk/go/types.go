package policy

// Seconds is a duration or an age in whole seconds. An age is never negative: a clock that was set back gives 0.
type Seconds = uint32

// Status of a node condition, as Kubernetes has it: True, False, Unknown. For a problem's condition Yes means that the problem is
// there. Unknown is neither health nor illness.
type Status string

// The statuses.
const (
	Yes     Status = "yes"
	No      Status = "no"
	Unknown Status = "unknown"
)

// Freshness says how far a view can be trusted. Lists of a view that is not Fresh say nothing by being empty.
type Freshness string

// The freshnesses.
const (
	// Fresh was read within its source's interval.
	Fresh Freshness = "fresh"
	// Stale was read, but longer ago.
	Stale Freshness = "stale"
	// Missing was never read, or the source cannot be reached.
	Missing Freshness = "missing"
)

// Outcome is what became of a remedy: always observed afterwards, never the return of a call.
type Outcome string

// The outcomes.
const (
	// Running is under way, or within its settling time.
	Running Outcome = "running"
	// Recovered: the problem went away and stayed away for the settling time. (It may have come back since.)
	Recovered Outcome = "recovered"
	// NoEffect: it was carried out, and the problem is still there.
	NoEffect Outcome = "noEffect"
	// Failed: it could not be carried out; Attempt.Detail says why.
	Failed Outcome = "failed"
	// Refused: a guard rail refused it; Attempt.Detail names it. Nothing was done.
	Refused Outcome = "refused"
	// NobodyKnows: the engine was away and cannot tell.
	NobodyKnows Outcome = "unknown"
)

// Moment is a moment in the time zone of the node's pool (UTC where the pool names none).
type Moment struct {
	// UnixSeconds since 1970-01-01T00:00Z.
	UnixSeconds uint64 `json:"unixSeconds"`
	// Weekday from 1 (Monday) to 7 (Sunday).
	Weekday uint8 `json:"weekday"`
	// MinuteOfDay from 0 (midnight) to 1439.
	MinuteOfDay uint16 `json:"minuteOfDay"`
}

// Condition is a node condition.
type Condition struct {
	// Kind is its type, e.g. KernelDeadlock.
	Kind   string `json:"kind"`
	Status Status `json:"status"`
	// Reason is the machine-readable cause as its source gives it, e.g. DockerHung. May be empty.
	Reason string `json:"reason"`
	// Message is text for people as its source gives it. May be empty, and may have been cut by the source.
	Message string `json:"message"`
	// Held is for how long the engine has seen it with this status. Not the source's own transition time, which moves when the source
	// restarts.
	Held Seconds `json:"held"`
	// Source is who reported it: npd (read on the node), node-status (read at the API server); or who told the node engine, which
	// makes conditions by the operator's rules: npd-counter, systemd.
	Source string `json:"source"`
}

// EventCount is the events on this node that bear one reason, as Node Problem Detector counts them.
type EventCount struct {
	// Reason, e.g. OOMKilling.
	Reason string `json:"reason"`
	// Message of the last one; empty where it is only counted.
	Message string `json:"message"`
	// Count is how many there were in the window; at least 1.
	Count uint32 `json:"count"`
	// Window is over how long they were counted.
	Window Seconds `json:"window"`
	// LastSeen is how long ago the last one was seen; at most Window.
	LastSeen Seconds `json:"lastSeen"`
}

// Attempt is one remedy that was tried in an episode.
type Attempt struct {
	Remedy Remedy `json:"remedy"`
	// Age is how long ago it began.
	Age     Seconds `json:"age"`
	Outcome Outcome `json:"outcome"`
	// Detail is more for people: the result of systemd's job, the guard rail. May be empty.
	Detail string `json:"detail"`
}

// Episode is one problem from its first sight until it has been gone for a quiet time.
type Episode struct {
	// Problem as it stands now; its status may be No while the quiet time runs.
	Problem Condition `json:"problem"`
	// Age since its first sight.
	Age Seconds `json:"age"`
	// Recurrences is how often it went away and came back within this episode.
	Recurrences uint32 `json:"recurrences"`
	// Attempts of both engines, as far as this site knows them. Newest first, at most 32.
	Attempts []Attempt `json:"attempts"`
}

// Node is the node that has the problem.
type Node struct {
	Name string `json:"name"`
	// Pool is the repair pool that selects it; nil if none does, or if this site cannot know it.
	Pool *string `json:"pool,omitempty"`
	// Zone is its label topology.kubernetes.io/zone; empty if it has none.
	Zone   string            `json:"zone"`
	Labels map[string]string `json:"labels"`
	// Ready is its condition Ready.
	Ready Status `json:"ready"`
	// Unschedulable: is it cordoned, by whomever?
	Unschedulable bool `json:"unschedulable"`
	// Uptime since its boot; nil where this site cannot know it.
	Uptime *Seconds `json:"uptime,omitempty"`
	// Pods bound to it; 0 where this site does not count them.
	Pods uint32 `json:"pods"`
}

// Unit is a systemd unit that the operator allows policies to touch.
type Unit struct {
	// Name with its suffix, e.g. containerd.service.
	Name string `json:"name"`
	// ActiveState is systemd's: active, inactive, failed, activating, deactivating, reloading, …
	ActiveState string `json:"activeState"`
	// SubState is systemd's, e.g. running, dead, auto-restart.
	SubState string `json:"subState"`
	// Restarts is systemd's NRestarts: how often systemd itself restarted it. 0 for what is no service.
	Restarts uint32 `json:"restarts"`
	// Held is for how long it has been in this active state.
	Held Seconds `json:"held"`
	// Gate: may it be touched now?
	Gate Gate `json:"gate"`
}

// Fix is a command that the operator's configuration declares by name.
type Fix struct {
	Name string `json:"name"`
	// Params are the names of the parameters that it takes.
	Params []string `json:"params"`
	// Gate: may it be run now?
	Gate Gate `json:"gate"`
}

// NodeView is what only the engine on the node sees.
type NodeView struct {
	// Units that the operator allows and that the policy's metadata need. A unit that is not here may not be touched.
	Units []Unit `json:"units"`
	// Fixes that the operator declares and that the policy's metadata need.
	Fixes []Fix `json:"fixes"`
	// Reboot: may one be asked for now?
	Reboot Gate `json:"reboot"`
	// Freshness of this view. If Missing, the lists are empty and the gate is closed.
	Freshness Freshness `json:"freshness"`
}

// Group is nodes of one group, counted. Sick and Repairing overlap.
type Group struct {
	Nodes uint32 `json:"nodes"`
	// Sick have an open problem.
	Sick uint32 `json:"sick"`
	// Repairing are in a repair of the control plane's.
	Repairing uint32 `json:"repairing"`
}

// Server is the node's server, as the cloud tells it.
type Server struct {
	// Status is Nova's, e.g. ACTIVE, SHUTOFF, ERROR. No status is proof of life or of death.
	Status string `json:"status"`
	// Task is Nova's task state, e.g. rebooting; nil if no task runs.
	Task *string `json:"task,omitempty"`
	// Fault is Nova's fault message; nil if it reports none.
	Fault *string `json:"fault,omitempty"`
	// Age since its creation.
	Age Seconds `json:"age"`
	// ProvenDead: the machine certainly runs no more, by the engine's own rule.
	ProvenDead bool `json:"provenDead"`
}

// ClusterView is what only the control plane sees.
type ClusterView struct {
	// Pool is the node's pool, the node itself included.
	Pool Group `json:"pool"`
	// Zone is its zone within the pool, likewise.
	Zone Group `json:"zone"`
	// SameProblem are the nodes of the pool that have the same kind of problem, the node itself included.
	SameProblem Group `json:"sameProblem"`
	// Server is nil if the cloud could not be asked, or if it is not certain which server the node is.
	Server *Server `json:"server,omitempty"`
	// RequestedBy is who asked for the repair: node-engine; conditions (nobody: the control plane saw the condition itself); else a
	// person's user name.
	RequestedBy string `json:"requestedBy"`
	// Reboot: may it be rebooted now?
	Reboot Gate `json:"reboot"`
	// Replace: may it be replaced now?
	Replace Gate `json:"replace"`
	// Freshness of this view. If Missing, the groups count nothing and both gates are closed.
	Freshness Freshness `json:"freshness"`
}

// Site is where the policy is asked: exactly one of the two is there.
type Site struct {
	Node         *NodeView    `json:"node,omitempty"`
	ControlPlane *ClusterView `json:"controlPlane,omitempty"`
}

// Observation is all that one decision may rest on, at one moment.
type Observation struct {
	// ID is unique for this asking; random numbers are seeded from it. Not to be parsed.
	ID   string `json:"id"`
	Now  Moment `json:"now"`
	Node Node   `json:"node"`
	Site Site   `json:"site"`
	// Episode is the problem to decide on.
	Episode Episode `json:"episode"`
	// OtherEpisodes are other open problems of this node.
	OtherEpisodes []Episode `json:"otherEpisodes"`
	// Conditions are all of the node's as this site sees them, the healthy ones too.
	Conditions []Condition `json:"conditions"`
	// Events are recent ones about the node; empty where this site does not read them.
	Events []EventCount `json:"events"`
	// Facts are the only open field: more about the node, by names listed in sdk/facts.md, as far as the policy's metadata need them. A
	// name is never given a second meaning; one that cannot be told now is absent.
	Facts map[string]string `json:"facts"`
}

// Decision is what a policy advises, and why.
type Decision struct {
	Remedy Remedy `json:"remedy"`
	// Reason in one line for people: it stands in events and in the history. At most 1024 bytes.
	Reason string `json:"reason"`
	// Settle is how long to watch after the remedy before judging it; nil for the engine's default.
	Settle *Seconds `json:"settle,omitempty"`
	// Notes are for the record only.
	Notes map[string]string `json:"notes,omitempty"`
}
