package fsck

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"
	"time"
)

// Digest fingerprints a value by what it holds: pointers by what they point to,
// maps in the order of their keys, times by their instant. Equal digests mean
// equal values, in this process and any other of the same release.
func Digest(value any) [sha256.Size]byte {
	d := digester{sum: sha256.New()}
	d.value(reflect.ValueOf(value))
	return [sha256.Size]byte(d.sum.Sum(nil))
}

// Kinds of what is written to the hash, where a value's own kind does not tell.
const (
	absentValue  = 0xff
	presentValue = 0xfe
)

type digester struct {
	sum     hash.Hash
	scratch [9]byte
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	locationType = reflect.TypeFor[*time.Location]()
)

func (d *digester) value(v reflect.Value) {
	if !v.IsValid() {
		d.mark(absentValue)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		n := uint64(0)
		if v.Bool() {
			n = 1
		}
		d.number(reflect.Bool, n)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.number(reflect.Int64, uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		d.number(reflect.Uint64, v.Uint())
	case reflect.Float32, reflect.Float64:
		d.number(reflect.Float64, math.Float64bits(v.Float()))
	case reflect.String:
		d.text(v.String())
	case reflect.Pointer, reflect.Interface:
		d.reference(v)
	case reflect.Struct:
		d.members(v)
	case reflect.Slice, reflect.Array:
		d.list(v)
	case reflect.Map:
		d.table(v)
	default: // functions and channels are no state
		d.mark(byte(v.Kind()))
	}
}

func (d *digester) mark(b byte) { d.sum.Write([]byte{b}) }

func (d *digester) number(kind reflect.Kind, n uint64) {
	d.scratch[0] = byte(kind)
	binary.BigEndian.PutUint64(d.scratch[1:], n)
	d.sum.Write(d.scratch[:])
}

func (d *digester) text(s string) {
	d.number(reflect.String, uint64(len(s)))
	d.sum.Write([]byte(s))
}

func (d *digester) reference(v reflect.Value) {
	switch {
	case v.IsNil() || v.Type() == locationType:
		d.mark(absentValue)
		return
	case v.Kind() == reflect.Interface:
		d.text(v.Elem().Type().String())
	default:
		d.mark(presentValue)
	}
	d.value(v.Elem())
}

func (d *digester) members(v reflect.Value) {
	if v.Type() == timeType {
		d.instant(v)
		return
	}
	d.number(reflect.Struct, uint64(v.NumField()))
	for i := range v.NumField() {
		d.value(v.Field(i))
	}
}

// instant writes a time. States hold theirs in members that are not exported,
// of which reflection gives no time.Time: what stands in one is read instead.
// Without a monotonic reading, which nothing recorded has, wall holds the
// nanoseconds and ext the seconds.
func (d *digester) instant(v reflect.Value) {
	d.number(reflect.Int64, v.FieldByName("wall").Uint())
	d.number(reflect.Int64, uint64(v.FieldByName("ext").Int()))
}

func (d *digester) list(v reflect.Value) {
	d.number(reflect.Slice, uint64(v.Len()))
	for i := range v.Len() {
		d.value(v.Index(i))
	}
}

func (d *digester) table(v reflect.Value) {
	type pair struct {
		key  string
		k, v reflect.Value
	}
	pairs := make([]pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		pairs = append(pairs, pair{keyText(it.Key()), it.Key(), it.Value()})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	d.number(reflect.Map, uint64(len(pairs)))
	for _, p := range pairs {
		d.value(p.k)
		d.value(p.v)
	}
}

// keyText orders keys of any kind that states have.
func keyText(k reflect.Value) string {
	if k.Kind() == reflect.String {
		return k.String()
	}
	sum := sha256.New()
	inner := digester{sum: sum}
	inner.value(k)
	return fmt.Sprintf("%x", sum.Sum(nil))
}
