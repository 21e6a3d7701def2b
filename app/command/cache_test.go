package command

import (
	"fmt"
	"testing"
	"time"
)

func TestCacheKeepsTheNewest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newCache[string](100)
	c.put("a", folded[string]{"new", 2, now})
	c.put("a", folded[string]{"old", 1, now.Add(time.Second)})
	if f, _ := c.get("a"); f.state != "new" || !f.checked.Equal(now) {
		t.Errorf("an older reading replaced a newer one: %+v", f)
	}
	c.put("a", folded[string]{"new", 2, now.Add(time.Minute)})
	c.put("a", folded[string]{"new", 2, now})
	if f, _ := c.get("a"); !f.checked.Equal(now.Add(time.Minute)) {
		t.Errorf("what was known at %s is forgotten: %+v", now.Add(time.Minute), f)
	}
}

func TestCacheStaysWithinItsBudget(t *testing.T) {
	t.Parallel()
	c := newCache[int](100)
	for i := range 50 {
		c.put(fmt.Sprint(i), folded[int]{state: i, version: 9}) // costs 10
		c.get("0")                                              // used all the time
	}
	if c.events != 100 || c.lru.Len() != 10 {
		t.Errorf("%d events in %d states, want 100 in 10", c.events, c.lru.Len())
	}
	if _, ok := c.get("0"); !ok {
		t.Error("the most used is gone")
	}
	if _, ok := c.get("1"); ok {
		t.Error("the least used is there")
	}
	c.put("large", folded[int]{version: 1_000})
	if _, ok := c.get("large"); !ok || c.lru.Len() != 1 {
		t.Errorf("a state larger than the budget is kept alone; there are %d", c.lru.Len())
	}
	c.put("small", folded[int]{version: 1})
	if _, ok := c.get("large"); ok || c.events != 2 {
		t.Errorf("%d events", c.events)
	}
}
