// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"context"
	"io"
	"math"
	"slices"
	"sort"
	"sync"
)

const (
	pageSize   = 1 << 16
	cacheBytes = 4 << 20
	cachePages = 1 << 10
	cursors    = 4

	maxKeptDirectory = 4 << 20
)

// A View is a file seen with its streams inflated. It reads the file as it needs.
type View struct {
	r         io.ReaderAt
	kind      byte
	fileSize  int64
	size      int64
	front     []byte
	streams   []stream
	points    []checkpoint
	directory []byte // of a zip, as the view has it
	dirAt     int64  // in the file; 0 if it is left as it is

	mu      sync.Mutex
	left    int64 // contents that may still be inflated
	pages   map[pageKey][]byte
	order   []pageKey // oldest first
	cached  int
	cursors [cursors]*cursor
	clock   int
}

type pageKey struct {
	stream int
	page   int64
}

// Open looks for deflate streams in r, which has size bytes, and inflates each
// once. It returns ErrNone if there are none, and otherwise only errors of r: what
// is not as it should be stays raw.
func Open(r io.ReaderAt, size int64) (*View, error) {
	v, err := scanned(context.Background(), r, size)
	if err != nil {
		return nil, err
	}
	return v, v.arrange()
}

// scanned is a view that is not arranged yet.
func scanned(ctx context.Context, r io.ReaderAt, size int64) (*View, error) {
	if size > maxOffset {
		return nil, ErrNone
	}
	c, err := identify(r, size)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, ErrNone
	}
	s := scan{r: r, size: size}
	if err := s.run(ctx, c); err != nil {
		return nil, err
	}
	v := &View{r: r, kind: c.kind, fileSize: size, streams: s.streams, points: s.points,
		left: math.MaxInt64, pages: map[pageKey][]byte{}}
	return v, v.readDirectory(c.directory)
}

// readDirectory keeps the directory of a zip if it lies behind all streams.
func (v *View) readDirectory(dir candidate) error {
	if v.kind != kindZip || len(v.streams) == 0 || dir.limit-dir.from > maxKeptDirectory ||
		dir.from < v.streams[len(v.streams)-1].end() {
		return nil
	}
	v.directory = make([]byte, dir.limit-dir.from)
	v.dirAt = dir.from
	_, err := read(v.r, v.directory, dir.from, v.fileSize)
	return err
}

// arrange lays the view out.
func (v *View) arrange() error {
	if len(v.streams) == 0 {
		return ErrNone
	}
	d := directory{streams: v.streams}
	v.directory = d.rest(d.feed(v.directory[:0], v.directory)) // it grows no faster than it is read
	last := &v.streams[len(v.streams)-1]
	v.front = appendFront(nil, v.kind, v.streams, v.fileSize-last.end(), v.dirAt)
	at, end := int64(len(v.front)), int64(0)
	for i := range v.streams {
		s := &v.streams[i]
		s.at = at
		at += s.offset - end + int64(len(s.fix)) + s.length
		end = s.end()
		next := v.fileSize
		if i+1 < len(v.streams) {
			next = v.streams[i+1].offset
		}
		if i+1 == len(v.streams) && v.dirAt > 0 {
			next = v.dirAt
		}
		if n := trailerSize(v.kind); next-end >= int64(n) {
			s.trailer = uint8(n)
		}
	}
	v.size = at + v.fileSize - end
	return nil
}

// Size is the length of the view in bytes.
func (v *View) Size() int64 { return v.size }

// Streams is how many streams the view shows inflated.
func (v *View) Streams() int { return len(v.streams) }

// Limit bounds how many bytes of contents ReadAt may inflate from now on, those
// included that it inflates to get to others. Beyond that it fails with ErrWork.
func (v *View) Limit(contents int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left = contents
}

// ReadAt reads bytes of the view. It is cheap for reads that go forward, also in a
// few places at once; a read elsewhere inflates up to a few MiB. Errors are io.EOF
// and those of the file, ErrCorrupt if the file has changed, and ErrWork.
func (v *View) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ErrCorrupt
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for n < len(p) {
		if off >= v.size {
			return n, io.EOF
		}
		k, err := v.readSome(p[n:], off)
		if err != nil {
			return n, err
		}
		n += k
		off += int64(k)
	}
	return n, nil
}

// readSome reads from one piece of the view.
func (v *View) readSome(p []byte, off int64) (int, error) {
	if off < int64(len(v.front)) {
		return copy(p, v.front[off:]), nil
	}
	i := sort.Search(len(v.streams), func(i int) bool { return v.streams[i].at > off }) - 1
	s := &v.streams[i]
	off -= s.at
	gap := s.offset - v.before(i)
	if off < gap {
		p = p[:min(int64(len(p)), gap-off)]
		return len(p), v.raw(p, v.before(i)+off, i-1)
	}
	if off -= gap; off < int64(len(s.fix)) {
		return copy(p, s.fix[off:]), nil
	}
	if off -= int64(len(s.fix)); off < s.length {
		return v.contents(p, i, off)
	}
	off -= s.length
	p = p[:min(int64(len(p)), v.fileSize-s.end()-off)]
	return len(p), v.raw(p, s.end()+off, i)
}

// before is where the raw bytes before stream i start in the file.
func (v *View) before(i int) int64 {
	if i == 0 {
		return 0
	}
	return v.streams[i-1].end()
}

// raw reads raw bytes that lie behind stream i.
func (v *View) raw(p []byte, off int64, i int) error {
	if ok, err := read(v.r, p, off, v.fileSize); err != nil || !ok {
		return err
	}
	if v.dirAt > 0 {
		overlay(p, off, v.directory, v.dirAt)
	}
	if i < 0 {
		return nil
	}
	s := &v.streams[i]
	if n := int(s.trailer); off < s.end()+int64(n) {
		var t [16]byte
		if ok, err := read(v.r, t[:n], s.end(), v.fileSize); err != nil || !ok {
			return err
		}
		s.adjust(v.kind, t[:n], ^uint32(0))
		overlay(p, off, t[:n], s.end())
	}
	return nil
}

// overlay puts q, which lies at qOff, over the part of p, which lies at off, that
// it covers.
func overlay(p []byte, off int64, q []byte, qOff int64) {
	if d := qOff - off; d >= 0 {
		if d < int64(len(p)) {
			copy(p[d:], q)
		}
	} else if -d < int64(len(q)) {
		copy(p, q[-d:])
	}
}

// contents reads from an inflated stream.
func (v *View) contents(p []byte, i int, off int64) (int, error) {
	key := pageKey{i, off / pageSize}
	page, ok := v.pages[key]
	if !ok {
		var err error
		if page, err = v.inflate(key); err != nil {
			return 0, err
		}
	}
	if off%pageSize >= int64(len(page)) {
		return 0, ErrCorrupt
	}
	return copy(p, page[off%pageSize:]), nil
}

// keep puts a page into the cache; the oldest go.
func (v *View) keep(key pageKey, page []byte) {
	if _, ok := v.pages[key]; ok {
		return
	}
	for len(v.order) > 0 && (v.cached+len(page) > cacheBytes || len(v.order) >= cachePages) {
		v.cached -= len(v.pages[v.order[0]])
		delete(v.pages, v.order[0])
		v.order = v.order[1:]
	}
	v.pages[key] = page
	v.order = append(v.order, key)
	v.cached += len(page)
}

// A cursor is a stream that is being inflated.
type cursor struct {
	d      *inflater
	stream int
	page   []byte // of what was inflated, the last page as far as it goes
	number int64  // of that page
	used   int
}

// inflate makes a page and returns it.
func (v *View) inflate(key pageKey) ([]byte, error) {
	c, err := v.cursorFor(key)
	if err != nil {
		return nil, err
	}
	for {
		p, err := c.d.next()
		if err == io.EOF && c.number == key.page {
			page := slices.Clone(c.page)
			c.stream = -1
			v.keep(key, page)
			return page, nil
		}
		if err != nil {
			c.stream = -1
			return nil, changed(err)
		}
		if v.left -= int64(len(p)); v.left < 0 {
			c.stream = -1
			return nil, ErrWork
		}
		if page := v.collect(c, p, key.page); page != nil {
			return page, nil
		}
	}
}

func changed(err error) error {
	if err == io.EOF || err == errStream {
		return ErrCorrupt
	}
	return err
}

// collect adds what was inflated to pages, and returns the wanted one if it is
// complete.
func (v *View) collect(c *cursor, p []byte, wanted int64) (found []byte) {
	from := c.d.produced - int64(len(p))
	for len(p) > 0 {
		number := from / pageSize
		if number != c.number || c.page == nil {
			c.number, c.page = number, c.page[:0]
		}
		start := from % pageSize
		n := min(int64(len(p)), pageSize-start)
		if start == int64(len(c.page)) {
			c.page = append(c.page, p[:n]...)
		}
		if start+n == pageSize && int64(len(c.page)) == pageSize {
			page := slices.Clone(c.page)
			if number == wanted {
				found = page
			}
			v.keep(pageKey{c.stream, number}, page)
		}
		p, from = p[n:], from+n
	}
	return found
}

// cursorFor returns a cursor that stands before the page: one that does already,
// or one started at a checkpoint or at the start of the stream.
func (v *View) cursorFor(key pageKey) (*cursor, error) {
	want := key.page * pageSize
	best := v.point(key.stream, want)
	from := int64(0)
	if best != nil {
		from = best.position
	}
	v.clock++
	oldest := 0
	for i, c := range &v.cursors {
		if c == nil {
			c = &cursor{d: newInflater(), stream: -1}
			v.cursors[i] = c
		}
		if c.stream == key.stream && c.d.produced >= from && c.reaches(want) {
			c.used = v.clock
			return c, nil
		}
		if c.used < v.cursors[oldest].used {
			oldest = i
		}
	}
	c := v.cursors[oldest]
	c.stream, c.page, c.number, c.used = key.stream, c.page[:0], want/pageSize, v.clock
	s := &v.streams[key.stream]
	if best != nil {
		c.number = -1
		return c, c.d.resume(v.r, best, s.end())
	}
	c.number = 0
	return c, c.d.reset(v.r, s.offset, s.end())
}

// reaches reports whether the cursor will come by the page at want as a whole.
func (c *cursor) reaches(want int64) bool {
	return c.d.produced <= want || c.number*pageSize == want && c.d.produced == want+int64(len(c.page)) && len(c.page) < pageSize
}

// point is the last checkpoint of a stream that is not behind position.
func (v *View) point(stream int, position int64) *checkpoint {
	i := sort.Search(len(v.points), func(i int) bool {
		p := &v.points[i]
		return p.stream > stream || p.stream == stream && p.position > position
	}) - 1
	if i < 0 || v.points[i].stream != stream {
		return nil
	}
	return &v.points[i]
}

// Long lists from where to where in the view the contents of streams of n bytes
// or more lie.
func (v *View) Long(n int64) (ranges [][2]int64) {
	for i := range v.streams {
		if s := &v.streams[i]; s.length >= n {
			from := s.at + s.offset - v.before(i) + int64(len(s.fix))
			ranges = append(ranges, [2]int64{from, from + s.length})
		}
	}
	return ranges
}
