// Package pmap is a persistent ordered map: Set gives a new map and leaves the
// old one as it was, sharing all but the path to the changed key. States can so
// be values: kept, compared and folded on in two directions without copies.
package pmap

import "iter"

// Map is ordered by key. The zero Map is empty and ready for use.
type Map[V any] struct {
	root *node[V]
	size int
}

// node is one of an AVL tree; nodes never change once they are reachable.
type node[V any] struct {
	key         string
	value       V
	height      int
	left, right *node[V]
}

// Len is the number of keys.
func (m Map[V]) Len() int { return m.size }

// Get gives the value of a key.
func (m Map[V]) Get(key string) (value V, ok bool) {
	for n := m.root; n != nil; {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	return value, false
}

// Set gives the map with the value of key replaced or added.
func (m Map[V]) Set(key string, value V) Map[V] {
	if _, had := m.Get(key); !had {
		m.size++
	}
	m.root = m.root.set(key, value)
	return m
}

// All yields keys and values in the order of the keys.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { m.root.walk(yield) }
}

// Backward yields keys and values in the reverse order of the keys.
func (m Map[V]) Backward() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { m.root.walkBack(yield) }
}

func (n *node[V]) walkBack(yield func(string, V) bool) bool {
	return n == nil || (n.right.walkBack(yield) && yield(n.key, n.value) && n.left.walkBack(yield))
}

func (n *node[V]) walk(yield func(string, V) bool) bool {
	return n == nil || (n.left.walk(yield) && yield(n.key, n.value) && n.right.walk(yield))
}

func (n *node[V]) set(key string, value V) *node[V] {
	if n == nil {
		return &node[V]{key: key, value: value, height: 1}
	}
	c := *n
	switch {
	case key < n.key:
		c.left = n.left.set(key, value)
	case key > n.key:
		c.right = n.right.set(key, value)
	default:
		c.value = value
		return &c
	}
	return c.balanced()
}

// balanced restores the AVL property of a fresh node whose one subtree grew by
// at most one level.
func (n *node[V]) balanced() *node[V] {
	switch d := n.left.h() - n.right.h(); {
	case d > 1:
		if n.left.left.h() < n.left.right.h() {
			n.left = n.left.rotatedLeft()
		}
		return n.rotatedRight()
	case d < -1:
		if n.right.right.h() < n.right.left.h() {
			n.right = n.right.rotatedRight()
		}
		return n.rotatedLeft()
	}
	n.measure()
	return n
}

func (n *node[V]) rotatedLeft() *node[V] {
	a, b := *n, *n.right
	a.right = b.left
	a.measure()
	b.left = &a
	b.measure()
	return &b
}

func (n *node[V]) rotatedRight() *node[V] {
	a, b := *n, *n.left
	a.left = b.right
	a.measure()
	b.right = &a
	b.measure()
	return &b
}

func (n *node[V]) measure() { n.height = 1 + max(n.left.h(), n.right.h()) }

func (n *node[V]) h() int {
	if n == nil {
		return 0
	}
	return n.height
}
