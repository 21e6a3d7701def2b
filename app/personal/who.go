package personal

import (
	"encoding/json"
	"slices"
	"strings"
)

// Who is what a sealed text says of who somebody is, wherever it stood: of a
// stakeholder, of who submitted a document, or of a member.
type Who struct {
	Name         string
	EmailAddress string
	PhoneNumber  string
	Description  string
}

// Says reads an opened text. One that is no stakeholder's and no submitter's is
// a name, or an address, by itself.
func Says(plaintext string) Who {
	var said struct {
		Name         string `json:"name"`
		Description  string `json:"description"`
		GivenName    string `json:"givenName"`
		Surname      string `json:"surname"`
		PhoneNumber  string `json:"phoneNumber"`
		EmailAddress string `json:"emailAddress"`
	}
	if strings.HasPrefix(plaintext, "{") && json.Unmarshal([]byte(plaintext), &said) == nil {
		w := Who{Name: said.Name, EmailAddress: said.EmailAddress, PhoneNumber: said.PhoneNumber, Description: said.Description}
		if w.Name == "" {
			w.Name = strings.TrimSpace(said.GivenName + " " + said.Surname)
		}
		return w
	}
	if strings.Contains(plaintext, "@") && !strings.ContainsAny(plaintext, " \t") {
		return Who{EmailAddress: plaintext}
	}
	return Who{Name: plaintext}
}

// Best is what to call them: by their name, or else by what is known.
func (w Who) Best() string {
	for _, text := range w.Texts() {
		return text
	}
	return w.Description
}

// Texts are the texts that say who it is wherever they stand.
func (w Who) Texts() []string {
	return slices.DeleteFunc([]string{w.Name, w.EmailAddress, w.PhoneNumber}, func(s string) bool { return s == "" })
}
