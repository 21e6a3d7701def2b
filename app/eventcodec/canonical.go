package eventcodec

import (
	"bytes"
	"encoding/json"
	"slices"

	"strata.dev/strata/app/eventlog"
)

// canonical gives the same bytes as eventlog.Canonical at a fraction of its
// cost. What json.Marshal writes for an event is canonical already but for the
// order of members, so members are put in order and everything else is copied.
// Where more would differ (escapes that RFC 8785 writes literally, keys beyond
// ASCII, numbers other than plain integers) it leaves the work to the reference.
func canonical(event any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // RFC 8785 writes <, > and & as they are
	if err := encoder.Encode(event); err != nil {
		return nil, err
	}
	in := buffer.Bytes()
	s := sorter{in: in, out: make([]byte, 0, len(in))}
	if s.value() {
		return s.out, nil
	}
	return eventlog.Canonical(event)
}

// sorter copies one JSON value, as encoding/json writes it, with the members of
// its objects in order. Its methods say false if the value needs the reference.
type sorter struct {
	in  []byte
	at  int
	out []byte
}

// member is where an object's member is in out.
type member struct{ start, keyEnd, end int }

func (s *sorter) value() bool {
	switch s.in[s.at] {
	case '{':
		return s.object()
	case '[':
		return s.list()
	case '"':
		return s.text()
	case 't', 'f', 'n':
		return s.word()
	}
	return s.integer()
}

func (s *sorter) object() bool {
	var few [16]member
	members, sorted := few[:0], true
	s.copy(1)
	first := len(s.out)
	for s.in[s.at] != '}' {
		m := member{start: len(s.out)}
		if !s.text() {
			return false
		}
		m.keyEnd = len(s.out)
		if !plainKey(s.out[m.start:m.keyEnd]) {
			return false
		}
		s.copy(1) // :
		if !s.value() {
			return false
		}
		m.end = len(s.out)
		if n := len(members); n > 0 && s.compare(members[n-1], m) > 0 {
			sorted = false
		}
		members = append(members, m)
		if s.in[s.at] == ',' {
			s.copy(1)
		}
	}
	if !sorted {
		s.rearrange(first, members)
	}
	s.copy(1)
	return true
}

// rearrange puts the members that are in out from first on in order.
func (s *sorter) rearrange(first int, members []member) {
	slices.SortFunc(members, s.compare)
	unsorted := slices.Clone(s.out[first:])
	s.out = s.out[:first]
	for i, m := range members {
		if i > 0 {
			s.out = append(s.out, ',')
		}
		s.out = append(s.out, unsorted[m.start-first:m.end-first]...)
	}
}

// compare orders by key. The quotes are part of the keys but for the closing
// one, which would order "a" behind "a!".
func (s *sorter) compare(a, b member) int {
	return bytes.Compare(s.out[a.start:a.keyEnd-1], s.out[b.start:b.keyEnd-1])
}

func plainKey(key []byte) bool {
	for _, c := range key {
		if c >= 0x80 || c == '\\' {
			return false // RFC 8785 orders by UTF-16, and by what is escaped
		}
	}
	return true
}

func (s *sorter) list() bool {
	s.copy(1)
	for s.in[s.at] != ']' {
		if !s.value() {
			return false
		}
		if s.in[s.at] == ',' {
			s.copy(1)
		}
	}
	s.copy(1)
	return true
}

func (s *sorter) text() bool {
	i := s.at + 1
	for s.in[i] != '"' {
		if s.in[i] == '\\' {
			i++
			if s.in[i] == 'u' && (s.in[i+1] != '0' || s.in[i+2] != '0') {
				return false // U+2028, U+2029 and U+FFFD are written literally
			}
		}
		i++
	}
	s.copy(i + 1 - s.at)
	return true
}

func (s *sorter) word() bool {
	n := len("true")
	if s.in[s.at] == 'f' {
		n = len("false")
	}
	s.copy(n)
	return true
}

// integer copies a number that every reader takes exactly.
func (s *sorter) integer() bool {
	const safeDigits = 15
	i := s.at
	if s.in[i] == '-' {
		i++
	}
	start := i
	for s.in[i] >= '0' && s.in[i] <= '9' {
		i++
	}
	if c := s.in[i]; i == start || i-start > safeDigits || c == '.' || c == 'e' || c == 'E' {
		return false
	}
	s.copy(i - s.at)
	return true
}

func (s *sorter) copy(n int) {
	s.out = append(s.out, s.in[s.at:s.at+n]...)
	s.at += n
}
