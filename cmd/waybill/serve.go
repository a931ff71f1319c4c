// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/repo/serve"
	"github.com/waybill-project/waybill/repo/store"
)

// serving is what serve is told.
type serving struct {
	listen  string
	metrics bool
	serve.Options
}

func (a *app) serveCommand() *cobra.Command {
	var s serving
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a repository from any bucket over HTTP, for development and small sites",
		Long: `Serves metadata/ and targets/ of a repository with the headers that caches want, and
/metrics for Prometheus. Clients trust none of it: they verify what they get. Needs no
policy and no keys. It ends on an interrupt, after the requests in flight.`,
		Example: `  waybill serve --repo ./bucket
  waybill serve --repo s3://releases --listen :8080 --rate 20 --concurrency 64`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c.Context(), &s) },
	}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on; port 0 takes a free one")
	f.Float64Var(&s.Rate, "rate", 0, "`N` requests a second for each client (0: the default)")
	f.IntVar(&s.Burst, "burst", 0, "`N` requests that a client may save up (0: the default)")
	f.IntVar(&s.Concurrent, "concurrency", 0, "`N` requests at a time in all (0: the default)")
	f.BoolVar(&s.metrics, "metrics", true, "serve /metrics too; --metrics=false on a public address")
	return exits(c, cli.Network)
}

func (a *app) serve(ctx context.Context, s *serving) error {
	u, err := a.bucketURL()
	if err != nil {
		return err
	}
	bucket, err := store.Open(ctx, u, drivers()...)
	if err != nil {
		return err
	}
	defer bucket.Close()
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return &cli.Error{Code: cli.Network, Err: err, Hint: "choose another address with --listen"}
	}
	s.Logger = slog.New(slog.NewTextHandler(a.stderr, nil))
	address := "http://" + l.Addr().String()
	a.say("serving %s at %s", bucket, address)
	if err := a.object(map[string]any{"schema": 1, "url": address}); err != nil {
		return errors.Join(err, l.Close())
	}
	return serve.Serve(ctx, l, s.handler(bucket))
}

func (s *serving) handler(bucket *store.Store) http.Handler {
	h := serve.New(bucket, &s.Options)
	if !s.metrics {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" && r.Method == http.MethodGet {
			h.Metrics(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
