package verifier

import "embed"

// Source is this package as it is compiled here, for evidence packs: the files
// are its whole source, apart from its tests.
//
//go:embed archive.go audit.go checkpoint.go doc.go event.go guess.go key.go line.go log.go memory.go note.go pack.go prefix.go problem.go proof.go receipt.go segment.go source.go tree.go verdict.go
var Source embed.FS
