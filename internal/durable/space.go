// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
)

// ErrSpace is wrapped by [CheckSpace].
var ErrSpace = errors.New("not enough free space")

// CheckSpace says whether dir has need bytes free for this user. It is advice: others
// write too. A file system that does not tell, as an FS without the method Free, is taken
// to have room.
func CheckSpace(fsys FS, dir string, need int64) error {
	disk, ok := fsys.(interface {
		Free(dir string) (int64, error)
	})
	if !ok {
		return nil
	}
	free, err := disk.Free(dir)
	if err != nil || free >= need {
		return nil
	}
	return fmt.Errorf("%w: %d bytes are needed, %d are free", ErrSpace, need, free)
}
