// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	levelUnit  = 100_000 // bytes of a bzip2 block for each level
	levelSlack = 19      // of which writers leave so many
)

// lowerLevels makes each stream of a patch claim the smallest block size that its
// blocks fit. Readers allocate 4 bytes for each byte claimed, so that a patch of a
// few kilobytes costs them 11 MB otherwise. The digit that claims it is part of no
// checksum, and nothing else changes.
func lowerLevels(patch []byte) ([]byte, error) {
	if len(patch) < 32 {
		return nil, fmt.Errorf("%d bytes are no header", len(patch))
	}
	control := binary.LittleEndian.Uint64(patch[8:])
	difference := binary.LittleEndian.Uint64(patch[16:])
	body := uint64(len(patch)) - 32
	if control > body || difference > body-control {
		return nil, fmt.Errorf("streams of %d and %d bytes in a body of %d", control, difference, body)
	}
	rest := patch[32:]
	for _, stream := range [][]byte{rest[:control], rest[control : control+difference], rest[control+difference:]} {
		if err := lowerLevel(stream); err != nil {
			return nil, err
		}
	}
	return patch, nil
}

func lowerLevel(stream []byte) error {
	if len(stream) < 4 || string(stream[:3]) != "BZh" {
		return errors.New("no bzip2 stream")
	}
	n, err := runLength(bzip2.NewReader(bytes.NewReader(stream)))
	if err != nil {
		return err
	}
	if level := (n + levelSlack + levelUnit) / levelUnit; level < int64(stream[3]-'0') {
		stream[3] = '0' + byte(level)
	}
	return nil
}

// runLength is the length of a stream in bytes after the first stage of bzip2:
// of up to 255 equal bytes only four stay, and a count. A stream that fits a
// block is a single block.
func runLength(r io.Reader) (n int64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	last, run := -1, 0
	for {
		b, err := in.ReadByte()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		if int(b) != last || run == 255 {
			last, run = int(b), 0
		}
		if run++; run <= 4 {
			n++
		}
		if run == 4 {
			n++
		}
	}
}
