interface Kernels {
  readonly source: string;
  readonly holder: string;
  readonly name: string;
}
export declare const KERNELS: readonly Kernels[];
export declare function holderOf(kernels: Kernels): Promise<string>;
