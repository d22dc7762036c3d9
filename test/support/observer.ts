import type { PipelineObserver } from '#src/stage/observer.js';

/** Keeps everything the stages report, in order. */
export class RecordingObserver implements PipelineObserver {
  readonly batches: { size: number; reason: string; waitSeconds: number }[] = [];
  readonly drops: string[] = [];
  readonly acknowledgements: number[] = [];
  readonly stages: string[] = [];
  leastFree = Infinity;

  entered(stage: string): void {
    this.stages.push(`>${stage}`);
  }
  left(stage: string, result: string): void {
    this.stages.push(`<${stage} ${result}`);
  }
  dropped(reason: string): void {
    this.drops.push(reason);
  }
  batched(size: number, reason: string, waitSeconds: number): void {
    this.batches.push({ size, reason, waitSeconds });
  }
  inferred(): void {}
  credits(free: number): void {
    this.leastFree = Math.min(this.leastFree, free);
  }
  acknowledged(seconds: number): void {
    this.acknowledgements.push(seconds);
  }
}
