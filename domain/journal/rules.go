package journal

import "strings"

// Segregation says whether a rule is one of those that keep duties apart: S1 to
// S15, and whatever S-rule is added to them.
func Segregation(rule string) bool {
	digits, ok := strings.CutPrefix(rule, "S")
	return ok && digits != "" && len(digits) <= 2 && strings.Trim(digits, "0123456789") == ""
}

// OwnWork says whether a rule of segregation refuses what concerns the actor's
// own work or rights: approving, activating, attesting, closing, accepting or
// granting for oneself.
func OwnWork(rule string) bool {
	switch rule {
	case "S1", "S3", "S5", "S6", "S7", "S10":
		return true
	}
	return false
}

// SegregationRules lists the rules.
func SegregationRules() []string {
	return []string{"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15"}
}
