package history_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/cmd/strata/demo"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

var writeAgenda = flag.Bool("write-agenda", false, "make cmd/strata/demo/agenda.json.gz anew of the published files beside the repository")

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// beside is the path of published files that lie beside the repository, if they do.
func beside(t *testing.T, path ...string) string {
	t.Helper()
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	found := filepath.Join(append([]string{root, "..", "shared"}, path...)...)
	if _, err := os.Stat(found); os.IsNotExist(err) {
		testenv.SkipLoud(t, "published data are not beside the repository: "+filepath.Join(path...))
	} else if err != nil {
		t.Fatal(err)
	}
	return found
}

// What the demo shows is what was published, to the letter.
func TestDemoIsWhatWasPublished(t *testing.T) {
	want, err := history.BuildAgenda(beside(t, "sdg"))
	if err != nil {
		t.Fatal(err)
	}
	if *writeAgenda {
		packed, err := demo.Pack(want)
		if err != nil {
			t.Fatal(err)
		}
		root, err := system.Root()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "cmd/strata/demo/agenda.json.gz"), packed, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes written", len(packed))
	}
	packed, err := demo.Pack(want) // absent and empty members are one
	if err != nil {
		t.Fatal(err)
	}
	if want, err = demo.Unpack(packed); err != nil {
		t.Fatal(err)
	}
	have, err := demo.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" && !*writeAgenda {
		t.Errorf("the embedded agenda is not the published one; go test ./tests/history -run DemoIsWhat -write-agenda makes it anew (-published +embedded):\n%s", diff)
	}
}
