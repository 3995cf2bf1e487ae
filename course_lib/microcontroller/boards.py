"""Microcontrollers and what fits on them."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.microcontroller.schedule import Schedule

__all__ = ["BOARDS", "Board", "Fit", "fit_on"]


@dataclass(frozen=True)
class Board:
    """A microcontroller: bytes of SRAM (tensors) and of flash (constants, code), and its core's clock in MHz."""

    name: str
    core: str
    sram: int
    flash: int
    megahertz: int


# The STM32F4, F7 and H7 are those of MCUNet (Lin et al., 2020); all numbers stand in the makers' data sheets. The H743
# has 1 MiB of SRAM in all, 512 KiB of it in one piece.
BOARDS = (
    Board("nRF51822", "Cortex-M0", 16 * 1024, 256 * 1024, 16),
    Board("STM32F103C8", "Cortex-M3", 20 * 1024, 64 * 1024, 72),
    Board("STM32F412", "Cortex-M4", 256 * 1024, 1024 * 1024, 100),
    Board("STM32F746", "Cortex-M7", 320 * 1024, 1024 * 1024, 216),
    Board("STM32F765", "Cortex-M7", 512 * 1024, 1024 * 1024, 216),
    Board("STM32H743", "Cortex-M7", 512 * 1024, 2048 * 1024, 480),
)


@dataclass(frozen=True)
class Fit:
    """What a scheduled network asks of a board: bytes of SRAM and flash, and the layers that need too much SRAM."""

    board: Board
    sram: int
    flash: int
    layers_over: tuple[int, ...]

    @property
    def fits(self) -> bool:
        """Whether both memories are large enough (for constants and tensors; code and stack come on top)."""
        return self.sram <= self.board.sram and self.flash <= self.board.flash

    def __str__(self) -> str:
        words = "fits" if self.fits else "does not fit"
        return (
            f"{self.board.name}: {words}; SRAM {self.sram / 1024:,.1f} of {self.board.sram // 1024} KiB, "
            f"flash {self.flash / 1024:,.1f} of {self.board.flash // 1024} KiB"
        )


def fit_on(board: Board, schedule: Schedule) -> Fit:
    """Compare what a schedule needs, its buffers arranged, with what a board has."""
    over = tuple(number for number, used in enumerate(schedule.bytes_per_step().tolist()) if used > board.sram)
    return Fit(board, schedule.arrange().size, schedule.network.flash_bytes(), over)
