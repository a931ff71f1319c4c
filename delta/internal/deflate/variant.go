// SPDX-License-Identifier: Apache-2.0

package deflate

// A Family is an encoder that exists, in all its levels.
type Family uint8

const (
	// Zlib is zlib as nearly everyone calls it (memLevel 8), the JDK included.
	Zlib Family = iota
	// ZlibLarge is zlib with memLevel 9.
	ZlibLarge
	// Chromium is Chromium's zlib, as in Node.js and so npm: a hash of four bytes.
	Chromium
	// ChromiumLarge is the same with memLevel 9.
	ChromiumLarge
	// Castagnoli is Chromium's zlib of some years, which hashed by a checksum where
	// the processor has it.
	Castagnoli
	// Gzip is GNU gzip and Info-ZIP's zip, which may end a block early.
	Gzip
	families
)

// A recipe names an encoder: family (bits 4 to 6) and level (bits 0 to 3).
type recipe uint8

const corrected recipe = 0x80 // in a view: corrections follow

func newRecipe(f Family, level int) recipe { return recipe(f)<<4 | recipe(level) }

func (r recipe) family() Family { return Family(r >> 4 & 7) }
func (r recipe) level() int     { return int(r & 15) }
func (r recipe) valid() bool {
	return r.family() < families && r.level() >= 1 && r.level() <= 9
}

func (r recipe) String() string {
	return [...]string{"zlib", "zlib-large", "chromium", "chromium-large", "castagnoli", "gzip"}[r.family()] + "-" + string('0'+rune(r.level()))
}

// effort is how hard a level searches.
type effort struct {
	good  int  // a match this long quarters the search for a better one
	lazy  int  // a match this long is taken at once; without lazy: longer ones are not entered in the chains
	nice  int  // a match this long ends the search
	chain int  // candidates that are looked at
	slow  bool // looks one byte ahead before it takes a match
}

// The ten levels that zlib and gzip share.
var efforts = [10]effort{
	1: {4, 4, 8, 4, false},
	2: {4, 5, 16, 8, false},
	3: {4, 6, 32, 32, false},
	4: {4, 4, 16, 16, true},
	5: {8, 16, 32, 32, true},
	6: {8, 16, 128, 128, true},
	7: {8, 32, 128, 256, true},
	8: {32, 128, 258, 1024, true},
	9: {32, 258, 258, 4096, true},
}

// blockTokens is how many tokens fill a block.
func (f Family) blockTokens() int {
	if f == Zlib || f == Chromium || f == Castagnoli {
		return 1<<14 - 1
	}
	return 1<<15 - 1
}

// A hash gives the bytes at a position their chain. It is the exclusive or of a
// value for each of four bytes, or the upper part of a product of all four.
type hash struct {
	multiply uint32
	mask     uint32
	table    [4][256]uint16
}

func newHash(f Family, level int) *hash {
	h := &hash{mask: 1<<15 - 1}
	if f == ZlibLarge || f == ChromiumLarge {
		h.mask = 1<<16 - 1
	}
	for i := range uint32(256) {
		switch f {
		case Chromium, ChromiumLarge:
			h.multiply = 66521
		case ZlibLarge:
			h.row(i, i<<12, i<<6, i, 0)
		case Castagnoli:
			fourth := castagnoli(i << 24)
			if level >= 6 {
				fourth = 0
			}
			h.row(i, castagnoli(i), castagnoli(i<<8), castagnoli(i<<16), fourth)
		default:
			h.row(i, i<<10, i<<5, i, 0)
		}
	}
	return h
}

func (h *hash) row(i uint32, values ...uint32) {
	for n, v := range values {
		h.table[n][i] = uint16(v & h.mask)
	}
}

// of is the chain of four bytes.
func (h *hash) of(v uint32) uint16 {
	if h.multiply != 0 {
		return uint16((v + 1) * h.multiply >> 16 & h.mask)
	}
	return h.table[0][byte(v)] ^ h.table[1][byte(v>>8)] ^ h.table[2][byte(v>>16)] ^ h.table[3][v>>24]
}

// castagnoli is the checksum step that processors have for 32 bits, started at 0.
func castagnoli(v uint32) uint32 {
	for range 32 {
		v = v>>1 ^ 0x82f63b78&-(v&1)
	}
	return v
}
