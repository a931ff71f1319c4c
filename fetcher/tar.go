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
	in := io.NewSectionReader(f, 0, size)
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
