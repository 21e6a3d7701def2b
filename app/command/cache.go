package command

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// folded is an aggregate's state at a version. It is shared between
// goroutines, so nobody changes what it refers to: folds copy what they change.
type folded[S any] struct {
	state   S
	version int64     // events folded; 0 = the stream does not exist here
	checked time.Time // when the stream was last known to end at version
}

// cache keeps folded states, the least recently used go first once the events
// folded into all of them exceed the budget.
type cache[S any] struct {
	mu     sync.Mutex
	lru    *simplelru.LRU[string, folded[S]]
	events int64 // folded into what is kept
	budget int64
}

func newCache[S any](budget int64) *cache[S] {
	c := &cache[S]{budget: budget}
	// The count is bounded by the budget: every entry costs at least one.
	c.lru, _ = simplelru.NewLRU(math.MaxInt32, func(_ string, f folded[S]) { c.events -= cost(f.version) })
	return c
}

func cost(version int64) int64 { return version + 1 }

func (c *cache[S]) get(key string) (folded[S], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(key)
}

// put keeps f unless something newer is kept already: of two goroutines that
// read at different times the later reading wins, whatever the order of puts.
func (c *cache[S]) put(key string, f folded[S]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.lru.Peek(key); ok {
		if have.version > f.version {
			return
		}
		if have.version == f.version && have.checked.After(f.checked) {
			f.checked = have.checked
		}
		c.lru.Remove(key)
	}
	c.lru.Add(key, f)
	c.events += cost(f.version)
	for c.events > c.budget && c.lru.Len() > 1 {
		c.lru.RemoveOldest()
	}
}
