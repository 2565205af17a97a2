package worker

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/semaphore"
)

// slots are how many steps of one provider instance run at once. All its queues share them. Whoever polls holds one, so that a full
// instance does not poll; those who wait are served in order, so that no queue is starved.
type slots struct {
	size int
	free *semaphore.Weighted
}

func newSlots(size int) *slots { return &slots{size: size, free: semaphore.NewWeighted(int64(size))} }

// ReserveSlot waits for a free slot.
func (s *slots) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	if err := s.free.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a free slot: %w", err)
	}
	return &worker.SlotPermit{}, nil
}

// TryReserveSlot takes a slot that is free right now.
func (s *slots) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	if s.free.TryAcquire(1) {
		return &worker.SlotPermit{}
	}
	return nil
}

// MarkSlotUsed has nothing to count: a slot is taken from the poll on.
func (s *slots) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot gives a slot back.
func (s *slots) ReleaseSlot(worker.SlotReleaseInfo) { s.free.Release(1) }

// MaxSlots is how many there are.
func (s *slots) MaxSlots() int { return s.size }

// tuner gives one activity worker the instance's slots.
func tuner(activities worker.SlotSupplier) (worker.WorkerTuner, error) {
	unused, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: unused, ActivitySlotSupplier: activities, LocalActivitySlotSupplier: unused,
		NexusSlotSupplier: unused, SessionActivitySlotSupplier: unused,
	})
}
