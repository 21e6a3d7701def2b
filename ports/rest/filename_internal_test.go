package rest

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFileName(t *testing.T) {
	for disposition, want := range map[string]string{
		`attachment; filename="plan.xml"`:                         "plan.xml",
		`attachment; filename="Kanari, Wilhelmina.pdf"`:           "Kanari, Wilhelmina.pdf",
		`attachment; filename*=UTF-8''Zo%C3%AB%20M.xml`:           "Zoë M.xml",
		`inline; filename="C:\\Users\\me\\plan.xml"`:              "plan.xml",
		`attachment; filename="../../etc/passwd"`:                 "passwd",
		`attachment; filename=" plan.xml "`:                       "plan.xml",
		`attachment`:                                              "",
		`attachment; filename="` + strings.Repeat("x", 255) + `"`: strings.Repeat("x", 255),
	} {
		if got, err := fileName([]string{disposition}); err != nil || got != want {
			t.Errorf("%s: %q, %v", disposition, got, err)
		}
	}
	if got, err := fileName(nil); err != nil || got != "" {
		t.Errorf("none: %q, %v", got, err)
	}
	for name, dispositions := range map[string][]string{
		"two":             {"attachment", "attachment"},
		"no end":          {`attachment; filename="Kanari`},
		"too long":        {`attachment; filename="` + strings.Repeat("Kanari", 50) + `"`},
		"no UTF-8":        {`attachment; filename*=UTF-8''Kanari%FF`},
		"a line end":      {`attachment; filename*=UTF-8''Kanari%0Ax`},
		"given two times": {`attachment; filename="Kanari"; filename="x"`},
	} {
		got, err := fileName(dispositions)
		if !errors.Is(err, errMalformed) || got != "" || strings.Contains(err.Error(), "Kanari") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add(`attachment; filename="plan.xml"`)
	f.Add(`attachment; filename*=UTF-8''Zo%C3%AB`)
	f.Fuzz(func(t *testing.T, disposition string) {
		name, err := fileName([]string{disposition})
		if err == nil && (len(name) > maxFileName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\r\n\x00")) {
			t.Errorf("%q is the name %q", disposition, name)
		}
	})
}
