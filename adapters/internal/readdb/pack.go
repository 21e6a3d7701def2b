package readdb

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
)

// errPacked: bytes that Pack did not make.
var errPacked = errors.New("packed rows end too early")

// Pack appends all rows in the order of their keys: the same rows always make the
// same bytes. Plain columns come first, so that reading may stop before the rest.
func (r *Rows[K, R]) Pack(to []byte) ([]byte, error) {
	packed := make([][]byte, 0, len(r.rows))
	for row := range r.All() {
		one, err := r.table.pack(row)
		if err != nil {
			return nil, err
		}
		packed = append(packed, one)
	}
	slices.SortFunc(packed, bytes.Compare)
	to = binary.AppendUvarint(to, uint64(len(packed)))
	for _, one := range packed {
		to = append(to, one...)
	}
	return to, r.cold.err
}

// Unpack brings in what Pack has written, into an empty cache, and gives what
// comes behind it. What is stored as JSON is read when a row is first looked at.
func (r *Rows[K, R]) Unpack(from string) (rest string, err error) {
	d := unpacking{rest: from}
	n := d.number()
	if d.bad || n > uint64(len(d.rest)) {
		return "", fmt.Errorf("%s: %w", r.table.name, errPacked)
	}
	slab := make([]R, n)
	r.rows, r.cold.raw = make(map[K]*R, n), make(map[any]string, n)
	for i := range slab {
		row := &slab[i]
		plain := d.text()
		raw := d.text()
		if d.bad {
			return "", fmt.Errorf("%s: %w", r.table.name, errPacked)
		}
		one := unpacking{rest: plain}
		for _, c := range r.table.plain {
			one.into(c.scan(row))
		}
		if one.bad || one.rest != "" {
			return "", fmt.Errorf("%s: %w", r.table.name, errPacked)
		}
		r.rows[r.key(row)] = row
		if raw != "" {
			r.cold.raw[row] = raw
		}
	}
	return d.rest, nil
}

// cold are rows of which the JSON columns are not read yet.
type cold struct {
	raw map[any]string // by *R
	err error          // the first one of reading them
}

// Warm reads what Unpack has left of a row that Peek gave.
func (r *Rows[K, R]) Warm(row *R) {
	if len(r.cold.raw) == 0 {
		return
	}
	raw, ok := r.cold.raw[row]
	if !ok {
		return
	}
	delete(r.cold.raw, row)
	d := unpacking{rest: raw}
	for _, c := range r.table.other {
		text := d.text()
		if d.bad || text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), c.scan(row)); err != nil && r.cold.err == nil {
			r.cold.err = fmt.Errorf("%s: %s: %w", r.table.name, c.Name, err)
		}
	}
	if d.bad && r.cold.err == nil {
		r.cold.err = fmt.Errorf("%s: %w", r.table.name, errPacked)
	}
}

// Err is the first error of reading what Unpack had left.
func (r *Rows[K, R]) Err() error { return r.cold.err }

// pack writes a row: its plain columns, then the others as JSON, each part with
// its length before it. Nothing at all stands for zero values of the others.
func (t Table[R]) pack(row *R) ([]byte, error) {
	var plain, other []byte
	for _, c := range t.plain {
		plain = packed(plain, c.scan(row))
	}
	empty := true
	for _, c := range t.other {
		field := c.scan(row)
		if reflect.ValueOf(field).Elem().IsZero() {
			other = append(other, 0)
			continue
		}
		text, err := json.Marshal(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", t.name, c.Name, err)
		}
		empty, other = false, appendText(other, string(text))
	}
	if empty {
		other = nil
	}
	return appendText(appendText(nil, string(plain)), string(other)), nil
}

func appendText(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// isPlain says whether packed knows what the pointer points to: what most rows
// have, and what would cost most to read as JSON.
func isPlain(field any) bool {
	switch field.(type) {
	case *string, *int64, *int32, *bool, *uuid.UUID, *time.Time, **time.Time:
		return true
	}
	switch t := reflect.TypeOf(field).Elem(); t.Kind() {
	case reflect.String:
		return true
	case reflect.Struct: // of texts only
		for i := range t.NumField() {
			if !t.Field(i).IsExported() || t.Field(i).Type.Kind() != reflect.String {
				return false
			}
		}
		return true
	}
	return false
}

// packed appends a plain field. Times are to the microsecond, as the database keeps them.
func packed(to []byte, field any) []byte {
	switch v := field.(type) {
	case *string:
		return appendText(to, *v)
	case *int64:
		return binary.AppendVarint(to, *v)
	case *int32:
		return binary.AppendVarint(to, int64(*v))
	case *bool:
		if *v {
			return append(to, 1)
		}
		return append(to, 0)
	case *uuid.UUID:
		return append(to, v[:]...)
	case *time.Time:
		return appendTime(to, *v)
	case **time.Time:
		if *v == nil {
			return append(to, 0)
		}
		return appendTime(append(to, 1), **v)
	}
	v := reflect.ValueOf(field).Elem()
	if v.Kind() == reflect.String {
		return appendText(to, v.String())
	}
	for i := range v.NumField() {
		to = appendText(to, v.Field(i).String())
	}
	return to
}

func appendTime(to []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(to, 0)
	}
	return binary.AppendVarint(append(to, 1), t.UnixMicro())
}

// unpacking reads what packed has written. bad says that it does not fit.
type unpacking struct {
	rest string
	bad  bool
}

func (d *unpacking) number() uint64 {
	var n uint64
	for shift := uint(0); ; shift += 7 {
		if d.rest == "" || shift > 63 {
			d.bad = true
			return 0
		}
		b := d.rest[0]
		d.rest = d.rest[1:]
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

func (d *unpacking) signed() int64 {
	n := d.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *unpacking) bytes(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *unpacking) text() string { return d.bytes(d.number()) }

func (d *unpacking) flag() bool { return d.bytes(1) == "\x01" }

func (d *unpacking) time() time.Time {
	if !d.flag() {
		return time.Time{}
	}
	return time.UnixMicro(d.signed()).UTC()
}

func (d *unpacking) into(field any) {
	switch v := field.(type) {
	case *string:
		*v = d.text()
	case *int64:
		*v = d.signed()
	case *int32:
		*v = int32(d.signed())
	case *bool:
		*v = d.flag()
	case *uuid.UUID:
		copy(v[:], d.bytes(16))
	case *time.Time:
		*v = d.time()
	case **time.Time:
		if *v = nil; d.flag() {
			t := d.time()
			*v = &t
		}
	default:
		of := reflect.ValueOf(field).Elem()
		if of.Kind() == reflect.String {
			of.SetString(d.text())
			return
		}
		for i := range of.NumField() {
			of.Field(i).SetString(d.text())
		}
	}
}
