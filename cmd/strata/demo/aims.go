package demo

// aim is which way an indicator should go, and how far.
type aim struct {
	direction string
	baseline  string // of 2015, where the aim is a share of it
	value     string // "" = the Agenda names no number
	why       string
}

// aims are what the text of the Agenda says about the indicators that are
// measured here. A number is only given where the target's own words give one.
var aims = map[string]aim{
	"1.1.1":  {"decrease", "0.2", "0", "Target 1.1: eradicate extreme poverty for all people everywhere by 2030."},
	"1.2.1":  {"decrease", "16.6", "8.3", "Target 1.2: reduce at least by half the proportion living in poverty by 2030."},
	"3.1.1":  {"at_most", "", "70", "Target 3.1: reduce the maternal mortality ratio to less than 70 per 100,000 live births by 2030."},
	"6.1.1":  {"at_least", "", "100", "Target 6.1: achieve universal access to safe drinking water for all by 2030."},
	"10.c.1": {"at_most", "", "3", "Target 10.c: reduce to less than 3 per cent the transaction costs of migrant remittances by 2030."},
	"12.3.1": {"decrease", "106.1", "53.05", "Target 12.3: halve per capita food waste at the retail and consumer levels by 2030."},
	"14.5.1": {"at_least", "", "10", "Target 14.5: conserve at least 10 per cent of coastal and marine areas by 2020."},
	"16.9.1": {"at_least", "", "100", "Target 16.9: provide legal identity for all, including birth registration, by 2030."},
	"17.2.1": {"at_least", "", "0.7", "Target 17.2: the commitment to provide 0.7 per cent of gross national income as official development assistance."},

	"1.2.2":  {direction: "decrease"},
	"2.2.1":  {direction: "decrease"},
	"2.3.2":  {direction: "increase"},
	"2.5.2":  {direction: "decrease"},
	"3.3.5":  {direction: "decrease"},
	"3.7.2":  {direction: "decrease"},
	"5.5.1":  {direction: "increase"},
	"5.5.2":  {direction: "increase"},
	"6.4.2":  {direction: "decrease"},
	"6.5.1":  {direction: "increase"},
	"7.a.1":  {direction: "increase"},
	"8.1.1":  {direction: "increase"},
	"8.2.1":  {direction: "increase"},
	"8.4.2":  {direction: "decrease"},
	"9.5.2":  {direction: "increase"},
	"11.6.2": {direction: "decrease"},
	"12.2.2": {direction: "decrease"},
	"12.4.2": {direction: "decrease"},
	"12.5.1": {direction: "increase"},
	"14.1.1": {direction: "decrease"},
	"15.1.1": {direction: "increase"},
	"15.4.2": {direction: "increase"},
	"15.5.1": {direction: "increase"},
	"16.1.1": {direction: "decrease"},
	"16.1.2": {direction: "decrease"},
	"16.3.1": {direction: "increase"},
	"16.5.2": {direction: "decrease"},
	"16.6.2": {direction: "increase"},
	"17.6.1": {direction: "increase"},
}

// adoption is the last day of the year in which the Agenda was adopted. An aim
// is set for the period that ends then: it stands for all that follow.
const adoption = "2015-12-31"

// directionOf is which way the indicator should go.
func directionOf(number string) string {
	if a := aims[number]; a.direction != "" {
		return a.direction
	}
	return "undefined"
}

// adopted is the last period of the headline that had ended at the adoption, or
// its first one if none had.
func (m *Measured) adopted() (start, end string) {
	for _, r := range m.Rows { // by period
		if len(r.Dims) > 0 {
			continue
		}
		if start != "" && r.End > adoption {
			break
		}
		start, end = r.Start, r.End
	}
	return start, end
}
