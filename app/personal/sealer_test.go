package personal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
)

var organization = uuid.MustParse("0198c0de-0000-7000-8000-00000000000a")

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatIsSealedIsOpened(t *testing.T) {
	t.Parallel()
	s := personal.NewSealer(&memory.Keys{})
	rapid.Check(t, func(r *rapid.T) {
		subject, plain := uuid.New().String(), rapid.String().Draw(r, "plain")
		text := must(s.Seal(t.Context(), organization, subject, plain))
		if again := must(s.Seal(t.Context(), organization, subject, plain)); again != text {
			r.Fatalf("sealed again it is %q, and was %q", again, text)
		}
		if sealed.Subject(text) != subject {
			r.Fatalf("%q is of %q", text, sealed.Subject(text))
		}
		if len(plain) > 3 && strings.Contains(text, plain) {
			r.Fatalf("%q shows %q", text, plain)
		}
		got, ok, err := s.Open(t.Context(), organization, text)
		if err != nil || !ok || got != plain {
			r.Fatalf("opened: %q, %t, %v; want %q", got, ok, err, plain)
		}
		other := rapid.String().Draw(r, "other")
		if same := must(s.Seal(t.Context(), organization, subject, other)) == text; same != (other == plain) {
			r.Fatalf("%q and %q seal to the same: %t", plain, other, same)
		}
	})
}

// A sealed text is good for its subject, its organization and its bytes alone.
func TestWhatIsNotSealedHereIsRefused(t *testing.T) {
	t.Parallel()
	keys := &memory.Keys{}
	s := personal.NewSealer(keys)
	rapid.Check(t, func(r *rapid.T) {
		subject, other, elsewhere := uuid.New().String(), uuid.New().String(), uuid.New()
		text := must(s.Seal(t.Context(), organization, subject, rapid.String().Draw(r, "plain")))
		_, encrypted, _ := sealed.Parse(text)
		must(s.Seal(t.Context(), organization, other, "x")) // both have keys
		must(s.Seal(t.Context(), elsewhere, subject, "x"))

		bit := rapid.IntRange(0, 8*len(encrypted)-1).Draw(r, "bit")
		flipped := bytes.Clone(encrypted)
		flipped[bit/8] ^= 1 << (bit % 8)
		for what, try := range map[string]func() (string, bool, error){
			"a flipped bit": func() (string, bool, error) { return s.Open(t.Context(), organization, sealed.Text(subject, flipped)) },
			"a shorter one": func() (string, bool, error) {
				return s.Open(t.Context(), organization, sealed.Text(subject, append(encrypted[:len(encrypted)-2:len(encrypted)-2], 0)))
			},
			"another subject":      func() (string, bool, error) { return s.Open(t.Context(), organization, sealed.Text(other, encrypted)) },
			"another organization": func() (string, bool, error) { return s.Open(t.Context(), elsewhere, text) },
			"no sealed text":       func() (string, bool, error) { return s.Open(t.Context(), organization, "Ada") },
		} {
			if got, ok, err := try(); !errors.Is(err, personal.ErrForged) || ok || got != "" {
				r.Fatalf("%s: %q, %t, %v", what, got, ok, err)
			}
		}
	})
	// The same key in two places: what binds is more than the key.
	k := &sameKey{}
	s = personal.NewSealer(k)
	text := must(s.Seal(t.Context(), organization, uuid.NewString(), "Ada"))
	_, encrypted, _ := sealed.Parse(text)
	if got, _, err := s.Open(t.Context(), organization, sealed.Text(uuid.NewString(), encrypted)); !errors.Is(err, personal.ErrForged) {
		t.Errorf("under the same key of another subject: %q, %v", got, err)
	}
	if got, _, err := s.Open(t.Context(), uuid.New(), text); !errors.Is(err, personal.ErrForged) {
		t.Errorf("under the same key of another organization: %q, %v", got, err)
	}
}

func TestDocumentsAreSealedAndOpened(t *testing.T) {
	t.Parallel()
	s := personal.NewSealer(&memory.Keys{})
	id := sealed.Document(strings.Repeat("0f", 32))
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		kept := must(s.SealBytes(t.Context(), organization, id, plain))
		if len(kept) != len(plain)+29 {
			r.Fatalf("%d bytes became %d", len(plain), len(kept))
		}
		if got, ok, err := s.OpenBytes(t.Context(), organization, id, kept); err != nil || !ok || !bytes.Equal(got, plain) {
			r.Fatalf("opened: %x, %t, %v", got, ok, err)
		}
		bit := rapid.IntRange(0, 8*len(kept)-1).Draw(r, "bit")
		kept[bit/8] ^= 1 << (bit % 8)
		if _, _, err := s.OpenBytes(t.Context(), organization, id, kept); !errors.Is(err, personal.ErrForged) {
			r.Fatalf("with bit %d flipped: %v", bit, err)
		}
	})
	if _, _, err := s.OpenBytes(t.Context(), organization, id, nil); !errors.Is(err, personal.ErrForged) {
		t.Errorf("no bytes: %v", err)
	}
}

func TestADestroyedKeyNeverComesBack(t *testing.T) {
	t.Parallel()
	keys := &memory.Keys{}
	s := personal.NewSealer(keys)
	subject := uuid.NewString()
	text := must(s.Seal(t.Context(), organization, subject, "Ada Lovelace"))
	for range 2 {
		if err := s.Destroy(t.Context(), organization, subject, "request"); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok, err := s.Open(t.Context(), organization, text); err != nil || ok || got != "" {
		t.Errorf("opened: %q, %t, %v", got, ok, err)
	}
	if _, err := s.Seal(t.Context(), organization, subject, "Ada Lovelace"); !errors.Is(err, personal.ErrDestroyed) {
		t.Errorf("sealed again: %v", err)
	}
	if _, err := s.Fingerprint(t.Context(), organization, []string{subject}, []byte("hash")); !errors.Is(err, personal.ErrDestroyed) {
		t.Errorf("a hash under it: %v", err)
	}
	if gone, err := s.Destroyed(t.Context(), organization, subject); err != nil || !gone {
		t.Errorf("destroyed: %t, %v", gone, err)
	}
	if gone, err := s.Destroyed(t.Context(), organization, uuid.NewString()); err != nil || gone {
		t.Errorf("somebody else destroyed: %t, %v", gone, err)
	}
	if err := s.Destroy(t.Context(), organization, personal.Pseudonyms, "request"); err == nil {
		t.Error("the key of all pseudonyms was destroyed")
	}
}

func TestAKeyThatIsLostIsNoErasure(t *testing.T) {
	t.Parallel()
	text := must(personal.NewSealer(&memory.Keys{}).Seal(t.Context(), organization, uuid.NewString(), "Ada"))
	if _, ok, err := personal.NewSealer(&memory.Keys{}).Open(t.Context(), organization, text); !errors.Is(err, personal.ErrNoKey) || ok {
		t.Errorf("in another key store: %t, %v", ok, err)
	}
	keys := &memory.Keys{}
	keys.Fail(personal.ErrUnavailable)
	if _, ok, err := personal.NewSealer(keys).Open(t.Context(), organization, text); !errors.Is(err, personal.ErrUnavailable) || ok {
		t.Errorf("with the key store away: %t, %v", ok, err)
	}
}

func TestANameIsOneSubject(t *testing.T) {
	t.Parallel()
	s := personal.NewSealer(&memory.Keys{})
	ada := must(s.SubjectOf(t.Context(), organization, "Zoë Müller"))
	if !ident.Valid(ada.String()) || ada.Version() != 8 || ada.Variant() != uuid.RFC4122 {
		t.Errorf("%s is no id", ada)
	}
	for _, same := range []string{"  Zoë\tMüller\n", "Zoe\u0308 Mu\u0308ller", "Zoë \u00a0 Müller"} {
		if got := must(s.SubjectOf(t.Context(), organization, same)); got != ada {
			t.Errorf("%q is another subject", same)
		}
	}
	for _, other := range []string{"zoë müller", "Zoe Muller", "ZoëMüller"} {
		if must(s.SubjectOf(t.Context(), organization, other)) == ada {
			t.Errorf("%q is the same subject", other)
		}
	}
	if must(s.SubjectOf(t.Context(), uuid.New(), "Zoë Müller")) == ada {
		t.Error("another organization knows her by the same id")
	}
	if _, err := s.SubjectOf(t.Context(), organization, " \t\u00a0"); err == nil {
		t.Error("nobody is a subject")
	}
	// Who has all ids and no key cannot find out whose they are.
	if must(personal.NewSealer(&memory.Keys{}).SubjectOf(t.Context(), organization, "Zoë Müller")) == ada {
		t.Error("the id follows from the name alone")
	}
}

func TestAFingerprintIsKeyedWithEverybody(t *testing.T) {
	t.Parallel()
	s := personal.NewSealer(&memory.Keys{})
	a, b := uuid.NewString(), uuid.NewString()
	hash := []byte("hash of a body that names both")
	both := must(s.Fingerprint(t.Context(), organization, []string{a, b}, hash))
	if got := must(s.Fingerprint(t.Context(), organization, []string{b, a, b}, hash)); !bytes.Equal(got, both) {
		t.Error("the order counts")
	}
	for what, subjects := range map[string][]string{"nobody": nil, "one": {a}, "the other": {b}, "a third": {a, b, uuid.NewString()}} {
		if got := must(s.Fingerprint(t.Context(), organization, subjects, hash)); bytes.Equal(got, both) {
			t.Errorf("%s leads to the same", what)
		}
	}
	if got := must(s.Fingerprint(t.Context(), organization, []string{a, b}, []byte("another"))); bytes.Equal(got, both) || len(got) != 32 {
		t.Errorf("of another hash: %x", got)
	}
}

func TestStakeholders(t *testing.T) {
	t.Parallel()
	s := personal.NewSealer(&memory.Keys{})
	in := strategy.Stakeholder{Kind: strategy.PersonStakeholder, Name: "Ada Lovelace", Description: "Countess", Roles: []strategy.Role{
		{Name: "Analyst", Types: []strategy.RoleType{strategy.Performer}}, {Description: "of the engine"}, {Types: []strategy.RoleType{strategy.Beneficiary}},
	}}
	out, subject, err := s.SealStakeholder(t.Context(), organization, in)
	if err != nil {
		t.Fatal(err)
	}
	want := strategy.Stakeholder{Kind: strategy.PersonStakeholder, Sealed: out.Sealed, Roles: []strategy.Role{
		{Types: []strategy.RoleType{strategy.Performer}}, {Types: []strategy.RoleType{strategy.Beneficiary}},
	}}
	if diff := cmp.Diff(want, out); diff != "" || sealed.Subject(out.Sealed) != subject {
		t.Errorf("sealed of %s: %s", subject, diff)
	}
	if back, ok, err := s.OpenStakeholder(t.Context(), organization, out); err != nil || !ok || !cmp.Equal(back, in) {
		t.Errorf("opened: %t, %v: %s", ok, err, cmp.Diff(in, back))
	}
	// By the name, whatever else is said; by what is said where there is no name.
	_, same, err := s.SealStakeholder(t.Context(), organization, strategy.Stakeholder{Name: "Ada  Lovelace"})
	if err != nil || same != subject {
		t.Errorf("the same name is %s and %s, %v", subject, same, err)
	}
	for _, unnamed := range []strategy.Stakeholder{{Description: "Countess"}, {Roles: []strategy.Role{{Name: "Analyst"}}}} {
		got, other, err := s.SealStakeholder(t.Context(), organization, unnamed)
		if err != nil || other == subject || other == "" || personal.Names(got) {
			t.Errorf("%+v: %+v of %q, %v", unnamed, got, other, err)
		}
	}
	// What says nothing needs no key.
	for _, silent := range []strategy.Stakeholder{{Kind: strategy.PersonStakeholder}, out} {
		if got, _, err := personal.NewSealer(nil).SealStakeholder(t.Context(), organization, silent); err != nil || !cmp.Equal(got, silent) {
			t.Errorf("%+v became %+v, %v", silent, got, err)
		}
	}
	if err := s.Destroy(t.Context(), organization, subject, "r"); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := s.OpenStakeholder(t.Context(), organization, out); err != nil || ok || !cmp.Equal(got, out) {
		t.Errorf("after the erasure: %+v, %t, %v", got, ok, err)
	}
	if _, who, err := s.SealStakeholder(t.Context(), organization, in); !errors.Is(err, personal.ErrDestroyed) || who != subject {
		t.Errorf("taken in again: %s, %v", who, err)
	}
}
