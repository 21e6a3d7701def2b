package sealed_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/sealed"
)

const subject = "0198c0de-0000-7000-8000-000000000001"

func subjects() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`),
		rapid.Map(rapid.StringMatching(`[0-9a-f]{64}`), sealed.Document),
	)
}

func TestAWrittenTextIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := subjects().Draw(t, "subject")
		encrypted := rapid.SliceOfN(rapid.Byte(), sealed.MinCipherBytes, 200).Draw(t, "encrypted")
		text := sealed.Text(id, encrypted)
		got, bytes, ok := sealed.Parse(text)
		if !ok || got != id || string(bytes) != string(encrypted) || sealed.Subject(text) != id || !sealed.Valid(text) {
			t.Fatalf("%q is read as %q, %x, %t", text, got, bytes, ok)
		}
	})
}

func TestWhatIsNoSealedText(t *testing.T) {
	t.Parallel()
	good := sealed.Text(subject, make([]byte, sealed.MinCipherBytes))
	if !sealed.Valid(good) {
		t.Fatalf("%q is none", good)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"a name":               "Ada Lovelace",
		"another version":      "v2" + good[2:],
		"no subject":           "v1.." + strings.Repeat("A", 40),
		"a subject by name":    "v1.ada." + strings.Repeat("A", 40),
		"a document by name":   "v1.document-plan." + strings.Repeat("A", 40),
		"capitals":             strings.ToUpper(good[:39]) + good[39:],
		"too short":            sealed.Text(subject, make([]byte, sealed.MinCipherBytes-1)),
		"padded":               good + "=",
		"the other alphabet":   good[:len(good)-2] + "+/",
		"a line end inside":    good[:50] + "\n" + good[50:],
		"bits that say naught": good[:len(good)-1] + "B",
		"one part more":        good + ".x",
		"too long":             sealed.Text(subject, make([]byte, sealed.MaxBytes)),
	} {
		if sealed.Valid(text) || sealed.Subject(text) != "" {
			t.Errorf("%s: %.60q passes for one of %q", name, text, sealed.Subject(text))
		}
	}
}

// Whatever is read is written in the one way.
func FuzzParse(f *testing.F) {
	f.Add(sealed.Text(subject, make([]byte, 40)))
	f.Add(sealed.Text(sealed.Document(strings.Repeat("a", 64)), make([]byte, 29)))
	f.Add("v1.x.y")
	f.Fuzz(func(t *testing.T, text string) {
		if id, encrypted, ok := sealed.Parse(text); ok && sealed.Text(id, encrypted) != text {
			t.Errorf("%q is another way to write %q", text, sealed.Text(id, encrypted))
		}
	})
}
