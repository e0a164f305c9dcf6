// Package policy is for writing Rectifier policies in Go.
//
//	package main
//
//	import "rectifier.dev/policy"
//
//	func main() {
//		policy.Policy[policy.NoSettings]{Decide: decide}.Main()
//	}
//
//	func decide(seen *policy.Observation, _ policy.NoSettings) (policy.Decision, error) {
//		restart := policy.Restart("containerd.service")
//		if seen.Episode.Tried(restart) == 0 {
//			return restart.Because("containerd has not been restarted yet"), nil
//		}
//		return policy.Escalate.Because("a restart did not help"), nil
//	}
//
// Built with GOOS=wasip1 GOARCH=wasm it is a WASI command that speaks the contract's JSON form; by `rectifier policy build --form
// component` it is a component, of the same source. In both, time.Now and random numbers are functions of the observation, and there are
// no files but the standard ones. A component cannot sleep, and both its standard output and error are its log; a command's standard
// output is its answer. The types are those of the contract, sdk/wit/policy.wit; a test holds them against its JSON schema. What is
// added here are questions that every policy asks, and short ways to answer.
package policy
