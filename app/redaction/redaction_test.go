package redaction_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"strata.dev/strata/app/redaction"
	stratmltest "strata.dev/strata/tests/testdata/stratml"
)

// called is a person whom documents know by a name.
func called(name string, more ...string) redaction.Person {
	return redaction.Person{Texts: append([]string{name}, more...), Is: func(known string) (bool, error) {
		return strings.Join(strings.Fields(norm.NFC.String(known)), " ") == name, nil
	}}
}

const plan = `<?xml version="1.0" encoding="UTF-8"?>
<!-- kept by Ada Lovelace --><p:PerformancePlanOrReport xmlns:p="urn:x" by="Ada&#32;Lovelace"><p:Name>Engines</p:Name>
<p:Description>Written by ADA
	LOVELACE &amp; others; see Lovelace, Ada (1843). Nevada Lovelacer stays.</p:Description>
<p:Stakeholder StakeholderTypeType="Person"><p:Name>Ada  Lovelace</p:Name><p:Description>Countess of L.</p:Description><p:Role><p:Name>Analyst</p:Name><p:RoleType>Performer</p:RoleType></p:Role></p:Stakeholder>
<p:Stakeholder StakeholderTypeType="Person"><p:Name>Charles Babbage</p:Name><p:Description>knew Ada Lovelace</p:Description></p:Stakeholder>
<p:OtherInformation><![CDATA[<b>Ada Lovelace</b>]]></p:OtherInformation>
<p:Submitter><p:Identifier>ada1</p:Identifier><p:GivenName>Ada</p:GivenName><p:Surname>Lovelace</p:Surname><p:EmailAddress>ada@example.org</p:EmailAddress></p:Submitter></p:PerformancePlanOrReport>`

func TestACopyDoesNotNameThePerson(t *testing.T) {
	// The name in an attribute, written with an entity, cannot be taken out byte by byte.
	if _, err := redaction.StratML([]byte(plan), called("Ada Lovelace")); !errors.Is(err, redaction.ErrNoCopy) {
		t.Errorf("a copy that still says it: %v", err)
	}
	document := strings.Replace(plan, "Ada&#32;Lovelace", "Ada Lovelace", 1)
	got, err := redaction.StratML([]byte(document), called("Ada Lovelace"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"kept by Ada Lovelace", "kept by [erased]", `by="Ada Lovelace"`, `by="[erased]"`,
		"Written by ADA\n\tLOVELACE &amp; others; see Lovelace, Ada (1843)", "Written by [erased] &amp; others; see [erased] (1843)",
		"<p:Name>Ada  Lovelace</p:Name><p:Description>Countess of L.</p:Description><p:Role><p:Name>Analyst</p:Name>",
		"<p:Name>[erased]</p:Name><p:Description>[erased]</p:Description><p:Role><p:Name>[erased]</p:Name>",
		"knew Ada Lovelace", "knew [erased]", "<![CDATA[<b>Ada Lovelace</b>]]>", "&lt;b&gt;[erased]&lt;/b&gt;",
		"<p:Identifier>ada1</p:Identifier><p:GivenName>Ada</p:GivenName><p:Surname>Lovelace</p:Surname><p:EmailAddress>ada@example.org</p:EmailAddress>",
		"<p:Identifier></p:Identifier><p:GivenName>[erased]</p:GivenName><p:Surname>[erased]</p:Surname><p:EmailAddress>[erased]</p:EmailAddress>",
	).Replace(document)
	// Line breaks and the like are escaped in a text that is written anew.
	if norm := strings.NewReplacer("&#xA;", "\n", "&#x9;", "\t").Replace(string(got)); norm != want {
		t.Errorf("got  %s\nwant %s", norm, want)
	}
	again, err := redaction.StratML(got, called("Ada Lovelace"))
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("a second copy differs: %v", err)
	}
}

func TestWhatNamesNobodyStaysByteForByte(t *testing.T) {
	for _, name := range []string{"SMLC2011.xml", "PMOAI.xml", "StratTest.xml"} {
		document, err := stratmltest.File(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := redaction.StratML(document, called("Nobody Inparticular")); err != nil || !bytes.Equal(got, document) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
}

func TestNoCopyOfWhatCannotBeRead(t *testing.T) {
	for name, document := range map[string]string{
		"no end":             "<a><b>Ada Lovelace</b>",
		"ends nothing":       "<a></b></a>",
		"an entity":          "<a>&who; Ada Lovelace</a>",
		"another encoding":   `<?xml version="1.0" encoding="ISO-8859-1"?><a>Ada Lovelace</a>`,
		"an internal set":    `<!DOCTYPE a [<!ENTITY who "Ada&#32;Lovelace">]><a/>`,
		"split by a comment": "<a>Ada <!-- x -->Lovelace</a>",
	} {
		if got, err := redaction.StratML([]byte(document), called("Ada Lovelace")); err == nil && strings.Contains(string(got), "Lovelace") || err != nil && !errors.Is(err, redaction.ErrNoCopy) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"Zoë Ångström", "Zoë Ångström and Zoe\u0308 A\u030angstro\u0308m", "[erased] and [erased]"},
		{"Ann", "Ann's annual plan by ANN, Anna and Ann.", "[erased]'s annual plan by [erased], Anna and [erased]."},
		{"Jean-Luc Picard", "Picard, Jean-Luc; jean-luc\u00a0picard", "[erased]; [erased]"},
		{"+43 1 58858", "call +43 1 58858!", "call [erased]!"},
	} {
		got, err := redaction.StratML([]byte("<a>"+c.text+"</a>"), called(c.name))
		if want := "<a>" + strings.ReplaceAll(c.want, "'", "&#39;") + "</a>"; err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, want)
		}
	}
}

func FuzzStratML(f *testing.F) {
	f.Add([]byte(plan), "Ada Lovelace")
	f.Add([]byte("<a>Ada</a>"), "Ada")
	f.Add([]byte("\ufeff<a b='Ada'/><!--Ada-->"), "Ada")
	f.Fuzz(func(t *testing.T, document []byte, name string) {
		got, err := redaction.StratML(document, called(name))
		if err != nil {
			return
		}
		again, err := redaction.StratML(got, called(name))
		if err != nil || !strings.EqualFold(name, redaction.Mark) && !strings.Contains(redaction.Mark, strings.ToLower(name)) && !bytes.Equal(got, again) {
			t.Errorf("%q, then %q: %v", got, again, err)
		}
	})
}
