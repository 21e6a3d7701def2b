package verifycli

import (
	"embed"
	"io/fs"

	"strata.dev/strata/app/verifier"
)

//go:embed doc.go forms.go standalone.go verifycli.go
var source embed.FS

const goMod = `module strata.dev/strata

go 1.23
`

const mainGo = `// Command strata-verify verifies what Strata has exported. It is the source of
// the program of that name, which this folder holds whole: go run . -help
package main

import (
	"context"
	"os"

	"strata.dev/strata/app/verifier/verifycli"
)

func main() {
	os.Exit(verifycli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr, verifycli.Options{}))
}
`

// Standalone is a Go module that verifies evidence packs and receipts with the
// standard library alone: the files by their paths. The sources are those that
// this program was compiled from.
func Standalone() (map[string][]byte, error) {
	files := map[string][]byte{"go.mod": []byte(goMod), "main.go": []byte(mainGo)}
	for dir, from := range map[string]fs.FS{"app/verifier/": verifier.Source, "app/verifier/verifycli/": source} {
		names, err := fs.Glob(from, "*.go")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if files[dir+name], err = fs.ReadFile(from, name); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}
