// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readTar reads the headers of a tar file and skips the contents.
func (c *contents) readTar(f io.ReaderAt, size int64) error {
	in := &metered{SectionReader: io.NewSectionReader(f, 0, size), left: maxIndexBytes}
	r := tar.NewReader(in)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: not a tar or zip file: %w", ErrMalformed, err)
		}
		if err := c.tarEntry(h, in, size); err != nil {
			return err
		}
	}
}

// metered bounds what is read for the index, as headers without entries are not counted otherwise. What is
// skipped is not read.
type metered struct {
	*io.SectionReader
	left int64
}

func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, refuse("more than %d bytes of headers", maxIndexBytes)
	}
	n, err := m.SectionReader.Read(p)
	m.left -= int64(n)
	return n, err
}

func (c *contents) tarEntry(h *tar.Header, in io.Seeker, size int64) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		_, err := c.visit("pax_global_header")
		return err
	}
	name, err := c.visit(h.Name)
	if err != nil || name == "" {
		return err
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return refuse("%.80q is sparse", name)
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return refuse("%.80q is no file and no folder but a link or a device", name)
	}
	at, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return c.add(name, span{offset: at, length: h.Size}, size)
}
