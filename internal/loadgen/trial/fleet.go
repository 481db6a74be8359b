package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"sync"

	"switchboard/internal/loadgen"
)

// A fleet is the load side: one Load in this process, or several in processes of
// their own. All are spoken to in the same way.
type fleet struct {
	parts []part
}

type part struct {
	client *rpc.Client
	child  *child          // nil in this process
	local  *sync.WaitGroup // nil in another
}

// launch starts the load side.
func (t *trial) launch(ctx context.Context, config loadgen.Config, processes int) (*fleet, error) {
	f := &fleet{}
	if processes == 1 {
		f.parts = append(f.parts, localPart())
	}
	for n := len(f.parts); n < processes; n++ {
		p, err := t.remotePart(n)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.parts = append(f.parts, p)
	}
	shares := loadgen.Share{Count: config.Clients}.Split(processes)
	err := f.each(ctx, func(n int) (string, any, any) {
		own := config
		own.Share = shares[n]
		return "Start", own, nil
	})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func localPart() part {
	here, there := net.Pipe()
	p := part{client: rpc.NewClient(here), local: &sync.WaitGroup{}}
	p.local.Go(func() { _ = loadgen.Serve(there) }) // it can only be told to end
	return p
}

func (t *trial) remotePart(n int) (part, error) {
	c, err := start(fmt.Sprintf("load process %d", n+1), t.Program, t.others, environment(nil), t.Load...)
	if err != nil {
		return part{}, err
	}
	stream := struct {
		io.Reader
		io.WriteCloser
	}{c.answers, c.orders}
	return part{client: rpc.NewClient(stream), child: c}, nil
}

// call calls a method of every Load at once and waits for all. The end of ctx
// ends the waiting, not the calls.
func (f *fleet) call(ctx context.Context, method string, argument any) error {
	return f.each(ctx, func(int) (string, any, any) { return method, argument, nil })
}

func (f *fleet) each(ctx context.Context, make func(n int) (method string, argument, reply any)) error {
	var calls []*rpc.Call
	for n, p := range f.parts {
		method, argument, reply := make(n)
		if reply == nil {
			reply = &loadgen.None{}
		}
		calls = append(calls, p.client.Go("Load."+method, argument, reply, nil))
	}
	var failed error
	for n, call := range calls {
		select {
		case <-call.Done:
			if call.Error != nil {
				failed = errors.Join(failed, f.parts[n].failed(call.Error))
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return failed
}

func (p part) failed(err error) error {
	if p.child == nil {
		return fmt.Errorf("load side: %w", err)
	}
	return fmt.Errorf("%s: %w%s", p.child.name, err, p.child.stderr.explain())
}

// snapshot puts together what all Loads have seen.
func (f *fleet) snapshot(ctx context.Context) (loadgen.Snapshot, error) {
	all := make([]loadgen.Snapshot, len(f.parts))
	err := f.each(ctx, func(n int) (string, any, any) { return "Snapshot", loadgen.None{}, &all[n] })
	if err != nil {
		return loadgen.Snapshot{}, err // answers that nobody waited for may come into all still
	}
	return loadgen.Sum(all), nil
}

// close ends the load side, whatever it is doing.
func (f *fleet) close() error {
	var failed error
	for _, p := range f.parts {
		if err := p.client.Close(); err != nil && !errors.Is(err, rpc.ErrShutdown) {
			failed = errors.Join(failed, err)
		}
		if p.local != nil {
			p.local.Wait()
		}
		if p.child != nil {
			failed = errors.Join(failed, p.child.end())
		}
	}
	return failed
}
