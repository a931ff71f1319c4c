// SPDX-License-Identifier: Apache-2.0

package crashfs

import "math/rand/v2"

// builder makes the file system that a crash after k operations leaves: what is durable, the open operations on
// names that name lets through, and the open operations on files as data has it.
type builder struct {
	r    *Recording
	k    int
	name func(i int) bool
	data fate
}

// fate is what becomes of the operations on files that were not synced. open are those on one file, in order.
type fate interface {
	strike(n *node, ops []Op, open []int)
}

func (b *builder) build() *FS {
	f := b.r.base.Clone()
	var files []int
	open := map[int][]int{}
	for i, op := range b.r.ops[:b.k] {
		f.restore(op)
		switch {
		case op.isName():
			b.rename(f, i, op)
		case !op.isData():
		case b.r.synced[i] < b.k:
			f.nodes[op.node].apply(op)
		default:
			if open[op.node] == nil {
				files = append(files, op.node)
			}
			open[op.node] = append(open[op.node], i)
		}
	}
	for _, id := range files {
		b.data.strike(f.nodes[id], b.r.ops, open[id])
	}
	return f
}

// restore makes the node of an operation if the run had made it; it has no name yet.
func (f *FS) restore(op Op) {
	if f.nodes[op.node] != nil {
		return
	}
	n := &node{id: op.node, mode: op.mode, ticks: f.tick()}
	if op.Kind == Mkdir {
		n.names = map[string]int{}
	}
	f.nodes[n.id] = n
	f.next = max(f.next, n.id+1)
}

// rename does an operation on names as far as it got. Of a rename between folders one side may be durable and the
// other not: then both names are there, but never none.
func (b *builder) rename(f *FS, i int, op Op) {
	lucky := b.name(i)
	done := lucky || b.r.synced[i] < b.k
	left := done
	if op.moves() {
		left = lucky || b.r.left[i] < b.k
		done = done || left
	}
	dir := f.nodes[op.dir]
	if dir == nil {
		return // the program that was recorded would not have made it
	}
	if op.Kind == Remove {
		if done && dir.names[op.name] == op.node {
			f.leave(dir, op.name)
		}
		return
	}
	if done {
		f.enter(dir, op.name, f.nodes[op.node])
	}
	from := f.nodes[op.fromDir]
	if op.Kind == Rename && left && from != nil && from.names[op.fromName] == op.node {
		f.leave(from, op.fromName)
	}
}

func (n *node) apply(op Op) {
	switch op.Kind {
	case Write:
		n.write(op.offset, op.data)
	case Truncate:
		n.truncate(op.offset)
	case Chmod:
		n.chmod(op.mode)
	}
}

type whole struct{}

func (whole) strike(n *node, ops []Op, open []int) {
	for _, i := range open {
		n.apply(ops[i])
	}
}

// lost leaves nothing, or nothing but modes and truncations, which are not data.
type lost struct{ keepMode bool }

func (l lost) strike(n *node, ops []Op, open []int) {
	for _, i := range open {
		if l.keepMode && ops[i].Kind != Write {
			n.apply(ops[i])
		}
	}
}

// upTo leaves what was done until some operation.
type upTo struct{ last int }

func (u upTo) strike(n *node, ops []Op, open []int) {
	for _, i := range open {
		if i <= u.last {
			n.apply(ops[i])
		}
	}
}

// short leaves the first half of the bytes.
type short struct{}

func (short) strike(n *node, ops []Op, open []int) {
	total := 0
	for _, i := range open {
		total += len(ops[i].data)
	}
	left := total / 2
	for _, i := range open {
		op := ops[i]
		op.data = op.data[:min(left, len(op.data))]
		left -= len(op.data)
		if op.Kind != Write || len(op.data) > 0 {
			n.apply(op)
		}
	}
}

// cut ends one write early.
type cut struct{ which, at int }

func (c cut) strike(n *node, ops []Op, open []int) {
	for _, i := range open {
		op := ops[i]
		if i == c.which {
			op.data = op.data[:c.at]
		}
		n.apply(op)
	}
}

// only strikes one file; the others are whole.
type only struct {
	id   int
	hurt fate
}

func (o only) strike(n *node, ops []Op, open []int) {
	if n.id == o.id {
		o.hurt.strike(n, ops, open)
		return
	}
	whole{}.strike(n, ops, open)
}

// spoiled leaves the length and other bytes.
type spoiled struct {
	way    int
	random *rand.Rand
	old    []byte
}

func (s spoiled) strike(n *node, ops []Op, open []int) {
	for _, i := range open {
		op := ops[i]
		if op.Kind == Write {
			op.data = s.spoil(op)
		}
		n.apply(op)
	}
}

func (s spoiled) spoil(op Op) []byte {
	out := make([]byte, len(op.data))
	for at := 0; at < len(out); at += sector {
		part := out[at:min(at+sector, len(out))]
		way := s.way
		if way >= 3 {
			way = s.random.IntN(4)
		}
		switch way {
		case 1:
			for i := range part {
				part[i] = byte(s.random.Uint32())
			}
		case 2:
			for i := range part {
				part[i] = s.old[(int(op.offset)+at+i)%len(s.old)]
			}
		case 3:
			copy(part, op.data[at:])
		}
	}
	return out
}

// oldBytes are what a block may hold from its last use: the largest file that was there.
func (f *FS) oldBytes() []byte {
	old := []byte("old")
	for _, n := range f.nodes {
		if len(n.data) > len(old) || len(n.data) == len(old) && string(n.data) < string(old) {
			old = n.data
		}
	}
	return old
}
