package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// Unit is what systemd says of a unit.
type Unit struct {
	Load   string // "loaded", "not-found", …
	Active string // "active", "failed", "activating", …
	Sub    string
	Source string // the file that a generator made it of
	Result string // of a service: "success", "exit-code", …
}

// Manager is the systemd that services run under. Its zero value is no use: Socket is where it listens.
type Manager struct {
	// Socket is the private socket of systemd, /run/systemd/private.
	Socket string
}

// call runs f on a connection of its own: rollouts are rare, and a systemd that was executed anew has forgotten the others.
func (m Manager) call(ctx context.Context, f func(*dbus.Conn) error) error {
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) {
		c, err := godbus.Dial("unix:path="+m.Socket, godbus.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		if err := c.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	})
	if err != nil {
		return fmt.Errorf("connecting to systemd at %s: %w", m.Socket, err)
	}
	defer conn.Close()
	return f(conn)
}

// Reload makes systemd run the generators and read all units again.
func (m Manager) Reload(ctx context.Context) error {
	return m.call(ctx, func(c *dbus.Conn) error { return wrap("reloading systemd", c.ReloadContext(ctx)) })
}

// Restart starts a unit, stopping it before if it runs. It does not wait.
func (m Manager) Restart(ctx context.Context, unit string) error {
	return m.call(ctx, func(c *dbus.Conn) error {
		_ = c.ResetFailedUnitContext(ctx, unit) // it may not have failed; the counter of starts goes with it
		_, err := c.RestartUnitContext(ctx, unit, "replace", nil)
		return wrap("starting "+unit, err)
	})
}

// Stop stops a unit. It does not wait.
func (m Manager) Stop(ctx context.Context, unit string) error {
	return m.call(ctx, func(c *dbus.Conn) error {
		_, err := c.StopUnitContext(ctx, unit, "replace", nil)
		return wrap("stopping "+unit, err)
	})
}

// ResetFailed makes systemd forget that a unit has failed, and a unit that is gone.
func (m Manager) ResetFailed(ctx context.Context, unit string) error {
	return m.call(ctx, func(c *dbus.Conn) error {
		_ = c.ResetFailedUnitContext(ctx, unit) // it is an error where there is nothing to forget
		return nil
	})
}

// Unit tells of a unit; one that is not there is not an error.
func (m Manager) Unit(ctx context.Context, unit string) (u Unit, err error) {
	err = m.call(ctx, func(c *dbus.Conn) error {
		props, err := c.GetUnitPropertiesContext(ctx, unit)
		if err != nil {
			return wrap("asking about "+unit, err)
		}
		text := func(name string) string { s, _ := props[name].(string); return s }
		u = Unit{Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"), Source: text("SourcePath")}
		if u.Load == "loaded" {
			if p, err := c.GetUnitTypePropertyContext(ctx, unit, "Service", "Result"); err == nil {
				u.Result, _ = p.Value.Value().(string)
			}
		}
		return nil
	})
	return u, err
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
