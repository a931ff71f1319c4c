// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"hash/adler32"
	"math"
	"math/big"
)

// vcdiffModel follows the text of RFC 3284 on slices, without regard to cost.
// What Apply refuses as unsupported it refuses too.
func vcdiffModel(base, patch []byte) (result []byte, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	in := &vcdiffBytes{patch}
	if string(in.take(4)) != "\xd6\xc3\xc4\x00" {
		return nil, false
	}
	switch in.byte() {
	case 0:
	case 4:
		in.take(in.number())
	default:
		return nil, false
	}
	for len(in.rest) > 0 {
		result = append(result, vcdiffModelWindow(in, base)...)
	}
	return result, true
}

// vcdiffBytes panics where there is nothing left.
type vcdiffBytes struct{ rest []byte }

func (b *vcdiffBytes) take(n int) []byte {
	taken := b.rest[:n:n]
	b.rest = b.rest[n:]
	return taken
}

func (b *vcdiffBytes) byte() byte { return b.take(1)[0] }

func (b *vcdiffBytes) number() int {
	n := new(big.Int)
	for range 9 {
		c := b.byte()
		n.Lsh(n, 7).Or(n, big.NewInt(int64(c&0x7f)))
		if c < 0x80 {
			return int(n.Int64())
		}
	}
	panic("too long")
}

func must(ok bool) {
	if !ok {
		panic("malformed")
	}
}

func vcdiffModelWindow(in *vcdiffBytes, base []byte) []byte {
	indicator := in.byte()
	var source []byte
	if indicator&1 != 0 {
		length, from := in.number(), in.number()
		source = base[from:len(base):len(base)][:length]
	}
	must(indicator&^5 == 0)
	w := &vcdiffBytes{in.take(in.number())}
	length := w.number()
	must(length <= math.MaxUint16) // no test needs more
	must(w.byte() == 0)
	sizes := []int{w.number(), w.number(), w.number()}
	var sum []byte
	if indicator&4 != 0 {
		sum = w.take(4)
	}
	data, instructions, addresses := &vcdiffBytes{w.take(sizes[0])}, &vcdiffBytes{w.take(sizes[1])}, &vcdiffBytes{w.take(sizes[2])}
	must(len(w.rest) == 0)
	all := vcdiffModelRun(source, data, instructions, addresses, length)
	must(len(data.rest)+len(addresses.rest) == 0 && len(all) == len(source)+length)
	target := all[len(source):]
	if sum != nil {
		s := adler32.Checksum(target)
		must(string(sum) == string([]byte{byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)}))
	}
	return target
}

func vcdiffModelRun(source []byte, data, instructions, addresses *vcdiffBytes, length int) []byte {
	all := append([]byte{}, source...)
	var near [4]int
	var same [768]int
	next := 0
	size := func(n int) int {
		if n == 0 {
			n = instructions.number()
		}
		must(n <= len(source)+length-len(all))
		return n
	}
	add := func(n int) { all = append(all, data.take(size(n))...) }
	replicate := func(n, mode int) {
		n = size(n)
		var at int
		switch {
		case mode == 0:
			at = addresses.number()
		case mode == 1:
			at = len(all) - addresses.number()
		case mode < 6:
			at = near[mode-2] + addresses.number()
		default:
			at = same[(mode-6)*256+int(addresses.byte())]
		}
		must(at >= 0 && at < len(all))
		near[next], next, same[at%768] = at, (next+1)%4, at
		for ; n > 0; n, at = n-1, at+1 {
			all = append(all, all[at])
		}
	}
	for len(instructions.rest) > 0 {
		switch code := int(instructions.byte()); {
		case code == 0:
			n := size(0)
			for b := data.byte(); n > 0; n-- {
				all = append(all, b)
			}
		case code <= 18:
			add(code - 1)
		case code <= 162:
			mode, n := (code-19)/16, (code-19)%16
			if n > 0 {
				n += 3
			}
			replicate(n, mode)
		case code <= 234:
			code -= 163
			add(code%12/3 + 1)
			replicate(code%3+4, code/12)
		case code <= 246:
			code -= 235
			add(code%4 + 1)
			replicate(4, code/4+6)
		default:
			replicate(4, code-247)
			add(1)
		}
	}
	return all
}
