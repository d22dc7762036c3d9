/** The grid the patches lie on: sides in plan pixels. */
export interface MaskGrid {
  readonly core: number;
  readonly cols: number;
  readonly rows: number;
}
