module rectifier.dev/conformance

go 1.24
