package restore

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// render gives an aggregate's state as plain values for JSON. States are made for
// folding and have no JSON of their own: most of what they hold stands in members
// that are not exported, and is read by reflection. Times are RFC 3339 and UTC, null if there is
// none; maps are objects.
func render(state any) (json.RawMessage, error) {
	return json.Marshal(plain(reflect.ValueOf(state)))
}

var timeType = reflect.TypeFor[time.Time]()

// toUnix is what time.Time counts seconds from, in seconds before 1970.
const toUnix = 62135596800

func plain(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.Type() == timeType {
		return plainTime(v)
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.String:
		return v.String()
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Map:
		object := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			object[fmt.Sprint(plain(it.Key()))] = plain(it.Value())
		}
		return object
	case reflect.Struct:
		return plainStruct(v)
	}
	return nil // functions and channels are no state
}

func plainStruct(v reflect.Value) any {
	object := map[string]any{}
	if strings.HasSuffix(v.Type().PkgPath(), "/pmap") {
		tree(v.FieldByName("root"), object)
		return object
	}
	for i := range v.NumField() {
		name := []rune(v.Type().Field(i).Name)
		name[0] = unicode.ToLower(name[0])
		object[string(name)] = plain(v.Field(i))
	}
	return object
}

// tree reads a persistent map.
func tree(node reflect.Value, into map[string]any) {
	for node.Kind() == reflect.Pointer && !node.IsNil() {
		n := node.Elem()
		into[n.FieldByName("key").String()] = plain(n.FieldByName("value"))
		tree(n.FieldByName("left"), into)
		node = n.FieldByName("right")
	}
}

// plainTime reads a time of which reflection gives no time.Time. Nothing recorded
// has a monotonic reading: wall holds the nanoseconds, ext the seconds.
func plainTime(v reflect.Value) any {
	t := time.Unix(v.FieldByName("ext").Int()-toUnix, int64(v.FieldByName("wall").Uint())).UTC()
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
