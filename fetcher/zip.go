// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// The parts of a zip file that are read, as in PKWARE's APPNOTE 6.3: end of central
// directory (4.3.16), central directory header (4.3.12), local file header (4.3.7).
const (
	zipEndSignature   = "PK\x05\x06"
	zipEntrySignature = "PK\x01\x02"
	zipLocalSignature = "PK\x03\x04"

	zipEndLength   = 22
	zipEntryLength = 46
	zipLocalLength = 30
	zipMaxComment  = 1<<16 - 1
)

// readZip reads the central directory. ZIP64 is not read: an archive over 4 GiB
// is carried as a tar file.
func (c *contents) readZip(f io.ReaderAt, size int64) error {
	end, err := zipEnd(f, size)
	if err != nil {
		return err
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	count, length, offset := int(u16(end[10:])), int64(u32(end[12:])), int64(u32(end[16:]))
	if u16(end[4:]) != 0 || u16(end[6:]) != 0 || int(u16(end[8:])) != count || count == 1<<16-1 || offset == 1<<32-1 {
		return refuse("a zip file in parts, or over 4 GiB")
	}
	if length > size || offset > size-length {
		return refuse("its table of contents does not lie in the file")
	}
	if length > maxIndexBytes {
		return refuse("more than %d bytes of headers", maxIndexBytes)
	}
	r := bufio.NewReader(io.NewSectionReader(f, offset, length))
	for range count {
		if err := c.zipEntry(r, size); err != nil {
			return err
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return refuse("its table of contents is longer than it says")
	}
	return nil
}

// zipEnd finds the last record, before which there is a comment of unknown length.
func zipEnd(f io.ReaderAt, size int64) ([]byte, error) {
	tail := make([]byte, min(size, zipEndLength+zipMaxComment))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	at := bytes.LastIndex(tail, []byte(zipEndSignature))
	if at < 0 || len(tail)-at < zipEndLength {
		return nil, refuse("a zip file that is cut off")
	}
	end := tail[at:]
	if int(binary.LittleEndian.Uint16(end[20:])) != len(end)-zipEndLength {
		return nil, refuse("something follows the zip file")
	}
	return end, nil
}

func (c *contents) zipEntry(r io.Reader, size int64) error {
	var h [zipEntryLength]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || string(h[:4]) != zipEntrySignature {
		return refuse("its table of contents is damaged")
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	rest := make([]byte, int(u16(h[28:]))+int(u16(h[30:]))+int(u16(h[32:])))
	if _, err := io.ReadFull(r, rest); err != nil {
		return refuse("its table of contents is damaged")
	}
	raw := string(rest[:u16(h[28:])])
	name, err := c.visit(raw)
	if err != nil || name == "" {
		return err
	}
	packed, length, mode := u32(h[20:]), u32(h[24:]), u32(h[38:])>>16
	switch kind := mode & 0o170000; {
	case h[5] == 3 && kind != 0 && kind != 0o100000 && kind != 0o040000:
		return refuse("%.80q is no file and no folder but a link or a device", name)
	case u16(h[8:])&1 != 0:
		return refuse("%.80q is encrypted", name)
	case strings.HasSuffix(raw, "/"):
		return nil
	case u16(h[10:]) != 0 || packed != length:
		return refuse("%.80q is compressed; store it (zip -0)", name)
	case length == 1<<32-1:
		return refuse("%.80q is over 4 GiB", name)
	}
	return c.add(name, span{offset: int64(u32(h[42:])), length: int64(length), header: true}, size)
}

// zipContent finds the bytes of an entry behind its local header.
func zipContent(f io.ReaderAt, offset int64) (int64, error) {
	var h [zipLocalLength]byte
	if _, err := f.ReadAt(h[:], offset); err != nil {
		return 0, fmt.Errorf("local header: %w", err)
	}
	if string(h[:4]) != zipLocalSignature {
		return 0, refuse("no local header at byte %d", offset)
	}
	u16 := binary.LittleEndian.Uint16
	return offset + zipLocalLength + int64(u16(h[26:])) + int64(u16(h[28:])), nil
}
