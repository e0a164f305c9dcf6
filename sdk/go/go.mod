module rectifier.dev/policy

go 1.24
