module readonly-filesystem

go 1.24

require rectifier.dev/policy v0.1.0

replace rectifier.dev/policy => ../../sdk/go
