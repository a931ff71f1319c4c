// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package endtoend

// smallDisk is not possible here without a disk image.
func (x *trouble) smallDisk() (mend func()) {
	x.t.Skip("no small file system")
	return nil
}
