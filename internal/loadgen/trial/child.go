package trial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// How long a child may take: to be ready, to answer, and to end by itself.
const (
	startWait = 30 * time.Second
	askWait   = 30 * time.Second
	endWait   = 15 * time.Second
)

// A child is a process under test. It says when it is ready, obeys the orders
// of Attend and ends when its standard input does, so that it does not outlive
// this process whatever happens.
type child struct {
	name    string
	command *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
	stderr  *tail
	url     string // what it said it is ready at

	once  sync.Once // for end
	ended error
}

// start runs this program again with other arguments. cores are those that the
// child may run on; nil for all.
func start(name, program string, cores []int, environ []string, args ...string) (*child, error) {
	c := &child{name: name, command: exec.Command(program, args...), stderr: &tail{}}
	c.command.Env = environ
	c.command.Stderr = c.stderr
	detach(c.command)
	orders, err := c.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	answers, err := c.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.orders, c.answers = orders, bufio.NewReader(answers)
	if err := onCores(cores, c.command.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// ready waits until the child says that it is.
func (c *child) ready(ctx context.Context) error {
	line, err := c.line(ctx, startWait)
	url, ok := strings.CutPrefix(line, readyWord)
	if err == nil && !ok {
		err = fmt.Errorf("it says %q", line)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w%s", c.name, err, c.stderr.explain())
	}
	c.url = strings.TrimSpace(url)
	return nil
}

// order gives one order and waits until it has been obeyed.
func (c *child) order(ctx context.Context, text string) error {
	if _, err := io.WriteString(c.orders, text+"\n"); err != nil {
		return fmt.Errorf("order %s to %s: %w%s", c.name, text, err, c.stderr.explain())
	}
	line, err := c.line(ctx, askWait)
	if err == nil && line != doneWord {
		err = errors.New(line)
	}
	if err != nil {
		return fmt.Errorf("order %s to %s: %w%s", c.name, text, err, c.stderr.explain())
	}
	return nil
}

// line reads a line of the child, for as long as it may take.
func (c *child) line(ctx context.Context, wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %v", wait))
	defer cancel()
	type answer struct {
		line string
		err  error
	}
	came := make(chan answer, 1)
	go func() { // ends with the child at the latest
		line, err := c.answers.ReadString('\n')
		came <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-came:
		if errors.Is(a.err, io.EOF) {
			return "", errors.New("it has ended")
		}
		return a.line, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// end ends the child: first by asking, then by force. It may be called again.
func (c *child) end() error {
	c.once.Do(func() {
		c.orders.Close()
		force := time.AfterFunc(endWait, func() { _ = c.command.Process.Kill() }) // it may have ended just now
		err := c.command.Wait()
		if !force.Stop() {
			c.ended = fmt.Errorf("%s did not end within %v and was killed", c.name, endWait)
		} else if err != nil {
			c.ended = fmt.Errorf("%s: %w%s", c.name, err, c.stderr.explain())
		}
	})
	return c.ended
}

// tail keeps the end of what a child writes to standard error.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailBytes = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// explain returns what was written, for the end of an error. It does so once:
// one end of a child may make several errors.
func (t *tail) explain() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	t.text = nil
	if text == "" {
		return ""
	}
	return "; it wrote:\n" + text
}

// environment returns that of this process without the names, and with more.
func environment(without []string, with ...string) []string {
	var list []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		drop := false
		for _, w := range without {
			drop = drop || w == name
		}
		if !drop {
			list = append(list, variable)
		}
	}
	return append(list, with...)
}
