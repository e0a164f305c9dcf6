#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rectifier_policy_host::fuzzing::answer(bytes));
