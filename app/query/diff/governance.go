package diff

import (
	"strings"
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

type (
	findingFields struct {
		State     finding.Stage     `json:"state"`
		Kind      finding.Kind      `json:"kind"`
		Severity  severity.Severity `json:"severity"`
		Origin    finding.Origin    `json:"origin"`
		Subjects  []finding.Subject `json:"subjects"`
		DedupeKey string            `json:"dedupeKey,omitempty"`
		RaisedBy  string            `json:"raisedBy"`
		OwnerID   string            `json:"ownerId,omitempty"`
		DueDate   calendar.Date     `json:"dueDate,omitempty"`
		ExpiresOn calendar.Date     `json:"expiresOn,omitempty"`
	}
	evidenceFields struct {
		Kind      evidence.Kind `json:"kind"`
		SHA256    string        `json:"sha256"`
		Size      int64         `json:"size"`
		MediaType string        `json:"mediaType"`
	}
	linkFields struct {
		Relation evidence.Relation `json:"relation"`
		Target   evidence.Target   `json:"target"`
	}
	sourceFields struct {
		Name          string         `json:"name"`
		System        string         `json:"system"`
		Channel       source.Channel `json:"channel"`
		StewardID     string         `json:"stewardId"`
		SchemaRef     string         `json:"schemaRef,omitempty"`
		Status        source.Status  `json:"status"`
		PublicKey     string         `json:"publicKey"`
		Fingerprint   string         `json:"credentialFingerprint"`
		MaxRatePerMin int            `json:"maxRatePerMin"`
	}
	organizationFields struct {
		Name            string `json:"name"`
		Acronym         string `json:"acronym,omitempty"`
		TimeZone        string `json:"timeZone"`
		FiscalYearStart int    `json:"fiscalYearStart"`
	}
	memberFields struct {
		SubjectID    string                  `json:"subjectId,omitempty"`
		Issuer       string                  `json:"issuer,omitempty"`
		Kind         organization.MemberKind `json:"kind"`
		EnrolledAt   time.Time               `json:"enrolledAt"`
		OffboardedAt time.Time               `json:"offboardedAt,omitzero"`
	}
	grantFields struct {
		MemberID  string             `json:"memberId"`
		Role      string             `json:"role"`
		Scope     organization.Scope `json:"scope"`
		GrantedAt time.Time          `json:"grantedAt"`
		GrantedBy string             `json:"grantedBy"`
		ExpiresAt *time.Time         `json:"expiresAt,omitempty"`
	}
)

type holdFields struct {
	Matter   string                 `json:"matter"`
	Basis    string                 `json:"basis"`
	Scope    organization.HoldScope `json:"scope"`
	PlacedAt time.Time              `json:"placedAt"`
	PlacedBy string                 `json:"placedBy"`
}

// OfFinding are a finding's elements.
func OfFinding(s finding.State) Elements {
	if !s.Exists() {
		return nil
	}
	return Elements{{"finding", s.ID, "", findingFields{
		s.Stage, s.Kind, s.Severity, s.Origin, s.Subjects, s.DedupeKey, s.RaisedBy, s.OwnerID, s.DueDate, s.ExpiresOn,
	}}}
}

// OfEvidence are the elements of a piece of evidence: itself, and its links.
func OfEvidence(s evidence.State) Elements {
	if !s.Exists() {
		return nil
	}
	all := Elements{{"evidence", s.ID, "", evidenceFields{s.Kind, s.SHA256, s.Size, s.MediaType}}}
	for _, l := range s.Links {
		id := strings.Join([]string{string(l.Relation), l.Target.Type, l.Target.ID, l.Target.EventID}, "/")
		all = append(all, element{"link", strings.TrimSuffix(id, "/"), l.Target.ID, linkFields(l)})
	}
	return all
}

// OfSource are a source's elements: itself, and the indicators it may write to.
func OfSource(s source.State) Elements {
	if !s.Registered() {
		return nil
	}
	all := Elements{{"source", s.ID, s.Name, sourceFields{
		s.Name, s.System, s.Channel, s.StewardID, s.SchemaRef, s.Status, s.Terms.PublicKey, s.Terms.CredentialFingerprint, s.Terms.MaxRatePerMin,
	}}}
	for _, a := range s.Terms.AllowedIndicators {
		all = append(all, element{"allowed-indicator", a.IndicatorID, "", a})
	}
	return all
}

// OfOrganization are an organization's elements: itself, its policy, those of its
// members whose ids are given, with the roles they hold, and its legal holds in
// place.
func OfOrganization(s organization.State, memberIDs []string) Elements {
	if !s.Exists() {
		return nil
	}
	all := Elements{
		{"organization", s.ID, s.Name, organizationFields{s.Name, s.Acronym, s.TimeZone, s.FiscalYearStart}},
		{"policy", s.ID, "", s.Policy()},
	}
	for _, id := range memberIDs {
		m, ok := s.Member(id)
		if !ok {
			continue
		}
		all = append(all, element{"member", m.ID, "", memberFields{m.SubjectID, m.Issuer, m.Kind, m.EnrolledAt, m.OffboardedAt}})
		for _, g := range s.GrantsOf(id) {
			all = append(all, element{"grant", g.ID, g.Role, grantFields{g.MemberID, g.Role, g.Scope, g.GrantedAt, g.GrantedBy, g.ExpiresAt}})
		}
	}
	for _, h := range s.Holds() {
		all = append(all, element{"hold", h.ID, h.Matter, holdFields{h.Matter, h.Basis, h.Scope, h.PlacedAt, h.PlacedBy}})
	}
	return all
}
