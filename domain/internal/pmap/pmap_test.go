package pmap

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMapsAreOrderedAndOlderOnesStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			got  Map[int]
			want map[string]int
		}
		versions := []version{{want: map[string]int{}}}
		key := rapid.StringMatching(`[a-f]{0,3}`)
		for i := range rapid.IntRange(0, 80).Draw(t, "sets") {
			from := versions[rapid.IntRange(0, len(versions)-1).Draw(t, "from")] // branches, too
			k := key.Draw(t, "key")
			next := version{from.got.Set(k, i), maps.Clone(from.want)}
			next.want[k] = i
			versions = append(versions, next)
		}
		for _, v := range versions {
			if v.got.Len() != len(v.want) {
				t.Fatalf("%d keys, want %d", v.got.Len(), len(v.want))
			}
			var keys []string
			for k, value := range v.got.All() {
				keys = append(keys, k)
				if value != v.want[k] {
					t.Fatalf("%q = %d, want %d", k, value, v.want[k])
				}
				if got, ok := v.got.Get(k); !ok || got != value {
					t.Fatalf("Get(%q) = %d, %v", k, got, ok)
				}
			}
			if want := slices.Sorted(maps.Keys(v.want)); !slices.Equal(keys, want) {
				t.Fatalf("keys %q, want %q", keys, want)
			}
			var back []string
			for k, value := range v.got.Backward() {
				back = append(back, k)
				if value != v.want[k] {
					t.Fatalf("backward: %q = %d, want %d", k, value, v.want[k])
				}
			}
			slices.Reverse(back)
			if !slices.Equal(back, keys) {
				t.Fatalf("backward: %q, want the reverse of %q", back, keys)
			}
			if _, ok := v.got.Get("z"); ok {
				t.Fatal("a key that was never set is there")
			}
			balanced(t, v.got.root)
		}
	})
}

func balanced(t *rapid.T, n *node[int]) {
	if n == nil {
		return
	}
	if d := n.left.h() - n.right.h(); d < -1 || d > 1 || n.height != 1+max(n.left.h(), n.right.h()) {
		t.Fatalf("out of balance at %q", n.key)
	}
	balanced(t, n.left)
	balanced(t, n.right)
}

func TestAscendingKeysStayShallow(t *testing.T) {
	var m Map[int]
	for i := range 4096 {
		m = m.Set(string([]byte{byte(i >> 8), byte(i)}), i)
	}
	if m.Len() != 4096 || m.root.height > 13 {
		t.Errorf("%d keys, height %d", m.Len(), m.root.height)
	}
}
