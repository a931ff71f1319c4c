// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package bench

import (
	"context"
	"os"
	"os/exec"
	"time"
)

func run(ctx context.Context, c Command, out *os.File) (Cost, error) {
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	started := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return Cost{}, err
	}
	return Cost{
		CPU:  (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(),
		Wall: time.Since(started).Seconds(),
		Peak: peak(cmd.ProcessState),
	}, err
}
