export type OptionType = 'string' | 'path' | 'integer' | 'number' | 'boolean' | 'choice';

export interface OptionSpec {
  readonly type: OptionType;
  /** Shown in the help as `--batch <patches>`. */
  readonly unit?: string;
  readonly default?: string | number | boolean;
  readonly min?: number;
  readonly max?: number;
  /** A whole number must be a multiple of it. */
  readonly multipleOf?: number;
  readonly choices?: readonly string[];
  readonly help: string;
  /** Heading in the help. */
  readonly group:
    | 'model'
    | 'patches'
    | 'tissue'
    | 'flow'
    | 'events'
    | 'status'
    | 'output'
    | 'watching'
    | 'labels'
    | 'training'
    | 'simulator'
    | 'general';
}
