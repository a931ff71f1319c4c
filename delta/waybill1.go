// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// Waybill1 is the format of this project: it predicts an executable from the one
// before by where its references to addresses point now. docs/waybill1.md specifies
// it to the byte. A result, like a base, has less than 4 GiB.
const Waybill1 = "waybill1"

func applyWaybill1(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) error {
	h, _, err := waybill1.ReadHeader(patch, info.PatchLength)
	if err == nil && !bytes.Equal(h.BaseSum[:], info.BaseSHA256[:len(h.BaseSum)]) {
		return fmt.Errorf("%w: its hash begins with %x, not with %x", ErrBaseMismatch, info.BaseSHA256[:len(h.BaseSum)], h.BaseSum)
	}
	if err == nil && !bytes.Equal(h.ResultSum[:], info.ResultSHA256[:len(h.ResultSum)]) {
		return fmt.Errorf("%w: it begins with %x, want %x", ErrResultMismatch, h.ResultSum, info.ResultSHA256)
	}
	if err == nil {
		err = waybill1.Apply(ctx, base, info.BaseLength, info.ResultLength, patch, info.PatchLength, out)
	}
	return waybill1Fault(err)
}

// waybill1Fault makes a fault of the patch one of this package.
func waybill1Fault(err error) error {
	if errors.Is(err, waybill1.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

func inspectWaybill1(patch io.ReaderAt, length int64) (Description, error) {
	h, at, err := waybill1.ReadHeader(patch, length)
	if err != nil {
		return Description{}, waybill1Fault(err)
	}
	return Description{
		Format:       Waybill1,
		ResultLength: h.ResultLength,
		BaseLength:   h.BaseLength,
		ResultSum:    h.ResultSum[:],
		Sections:     []Section{{"header", at}, {"coded", length - at - h.Stored}, {"stored", h.Stored}},
	}, nil
}
