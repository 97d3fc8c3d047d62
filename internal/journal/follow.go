package journal

import (
	"context"
	"errors"
	"time"
)

// damagePause is how long a reader waits after it met damage: it does not pass, unless the damaged
// entries are pruned, but the rest of the program is of use without this reader.
const damagePause = 10 * time.Second

// Follow is the life of a reader of a log: it calls step, which waits for entries and deals
// with them, until finish is closed, and from then on until atEnd says that nothing is left.
// The context that step gets ends with finish, so that it waits no longer; what it has begun
// to deal with by then it must not give up. Follow returns nil once the end is reached, else
// ctx's error or the first other one of step or atEnd. After an ErrDamaged, which the journal
// tells by itself, step is called again some time later.
func Follow(ctx context.Context, finish <-chan struct{}, step func(wait context.Context) error, atEnd func(ctx context.Context) (bool, error)) error {
	wait, stopWaiting := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-finish:
			stopWaiting()
		case <-wait.Done():
		}
	}()
	defer func() {
		stopWaiting()
		<-watched
	}()
	for {
		err := step(wait)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, context.Canceled) && wait.Err() != nil {
			break
		}
		if errors.Is(err, ErrDamaged) {
			pauseFor(wait, damagePause)
			continue
		}
		if err != nil {
			return err
		}
	}
	for {
		if end, err := atEnd(ctx); end || err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
}

// pauseFor waits, or until ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
