// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/waybill-project/waybill/internal/durable"
)

// inputFile is a regular file and its size.
type inputFile struct {
	*os.File
	size int64
}

func openFile(path string) (*inputFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &inputFile{f, info.Size()}, nil
}

// writeOutput lets write fill a temporary file that takes its name only once
// it is complete, so that a failed run leaves nothing behind.
func writeOutput(path string, write func(io.Writer) error) error {
	f, temp, err := durable.CreateTemp(durable.OS(), path, 0o644)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = durable.Replace(durable.OS(), temp, path)
	}
	if err != nil {
		return errors.Join(err, durable.Remove(durable.OS(), temp))
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// parseSize reads a number of bytes with an optional KiB, MiB or GiB.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, errors.New("want a size such as 512MiB")
	}
	return n << shift, nil
}
