package story

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
)

// TestPage runs the blocks of docs/story.md as they stand, and compares what
// they print with what the page shows.
func TestPage(t *testing.T) {
	t.Parallel()
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "story.md"))
	if err != nil {
		t.Fatal(err)
	}
	s, service := system.Start(t, system.Options{})
	c := newCast(t, s, service)
	rows := published(t, "021APG2201", "Non-Occupant")
	strategyID, objectiveID := c.drafted(rows[0])
	indicatorID := c.defined(strategyID, objectiveID, rows[0])
	c.inForce(strategyID)

	bin := t.TempDir()
	if err := os.Symlink(system.Binary(t), filepath.Join(bin, "strata")); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	var shown []string
	found := regexp.MustCompile("(?s)<!-- test: ([a-z]+) -->\n```sh\n(.*?)```(?:\n```\n(.*?)\n```)?").FindAllStringSubmatch(string(page), -1)
	if len(found) != 9 {
		t.Fatalf("the page has %d blocks", len(found))
	}
	for _, m := range found {
		script.WriteString("# " + m[1] + "\n" + m[2])
		if m[3] != "" {
			shown = append(shown, m[3])
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(s.Environ(nil), "API="+service.Base+"/v1", "STRATEGY="+strategyID, "INDICATOR="+indicatorID,
		"OLGA_ID="+c.members["olga"], "STAN_ID="+c.members["stan"], "PATH="+bin+":"+os.Getenv("PATH"))
	for name, token := range s.Organization.Tokens {
		cmd.Env = append(cmd.Env, strings.ToUpper(name)+"="+token)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	for _, text := range shown {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(text)), "…", `[^"]+`)
		if !regexp.MustCompile(pattern).MatchString(out.String()) {
			t.Errorf("the page shows\n%s\nand the commands print\n%s", text, out.String())
		}
	}
}
