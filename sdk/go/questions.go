package policy

// Problem is the kind of problem to decide on.
func (seen *Observation) Problem() string { return seen.Episode.Problem.Kind }

// ProblemIsThere tells whether it is there. Not if it is gone, and not if nobody knows.
func (seen *Observation) ProblemIsThere() bool { return seen.Episode.Problem.Status == Yes }

// IsFresh tells whether the site's own view can be trusted.
func (seen *Observation) IsFresh() bool {
	switch {
	case seen.Site.Node != nil:
		return seen.Site.Node.Freshness == Fresh
	case seen.Site.ControlPlane != nil:
		return seen.Site.ControlPlane.Freshness == Fresh
	}
	return false
}

// NotNow is why nothing is to be done at this moment, whatever the problem is: it is not certainly there, what is known is not fresh, or
// a remedy is under way. Nil: decide.
func (seen *Observation) NotNow() *Decision {
	wait := func(format string, values ...any) *Decision {
		decision := Wait(30).Because(format, values...)
		return &decision
	}
	switch {
	case !seen.ProblemIsThere():
		return wait("%s is not reported as there at present", seen.Problem())
	case !seen.IsFresh():
		return wait("what is known here is not fresh")
	case seen.Episode.Running() != nil:
		return wait("a remedy is still under way")
	}
	return nil
}

// Condition is the one of this kind; nil if there is none.
func (seen *Observation) Condition(kind string) *Condition {
	return find(seen.Conditions, func(condition *Condition) bool { return condition.Kind == kind })
}

// Tried is how often exactly this remedy was carried out in this episode, or begun. What was refused was not.
func (episode *Episode) Tried(remedy Remedy) int {
	tried := 0
	for _, attempt := range episode.Attempts {
		if attempt.Outcome != Refused && attempt.Remedy.Equal(remedy) {
			tried++
		}
	}
	return tried
}

// AttemptsAt are all attempts at exactly this remedy, the newest first.
func (episode *Episode) AttemptsAt(remedy Remedy) []Attempt {
	var at []Attempt
	for _, attempt := range episode.Attempts {
		if attempt.Remedy.Equal(remedy) {
			at = append(at, attempt)
		}
	}
	return at
}

// Running is the attempt that is under way; nil if none is.
func (episode *Episode) Running() *Attempt {
	return find(episode.Attempts, func(attempt *Attempt) bool { return attempt.Outcome == Running })
}

// Last is the newest attempt; nil if there was none.
func (episode *Episode) Last() *Attempt {
	return find(episode.Attempts, func(*Attempt) bool { return true })
}

// Unit is the one of this name; nil if the operator does not allow it or the metadata do not need it. A nil view, that of the other
// site, has none.
func (view *NodeView) Unit(name string) *Unit {
	if view == nil {
		return nil
	}
	return find(view.Units, func(unit *Unit) bool { return unit.Name == name })
}

// Fix is the one of this name, likewise.
func (view *NodeView) Fix(name string) *Fix {
	if view == nil {
		return nil
	}
	return find(view.Fixes, func(fix *Fix) bool { return fix.Name == name })
}

func find[T any](items []T, is func(*T) bool) *T {
	for at := range items {
		if is(&items[at]) {
			return &items[at]
		}
	}
	return nil
}
