#!/bin/sh
# Writes the dump fixtures with LAMMPS: three atoms, listed out of order and with image flags, in a tilted box that does
# not start at the origin. Forces are -x/8, -y/8, -z/8 of the unwrapped positions.
set -e
cat > atoms.data <<END
three atoms

3 atoms
2 atom types
1 13 xlo xhi
2 13 ylo yhi
3 16 zlo zhi
3 -2 4 xy xz yz

Masses

1 6.94
2 35.45

Atoms # atomic

3 2 4.25 5.75 7.25 0 0 0
1 1 2.50 3.50 4.50 1 0 -1
2 1 6.75 7.25 9.75 0 2 0
END
for units in metal real; do
  cat > in.dumps <<END
units $units
boundary p p p
read_data atoms.data
pair_style zero 5.0
pair_coeff * *
compute unwrapped all property/atom xu yu zu
variable fx atom -c_unwrapped[1]/8
variable fy atom -c_unwrapped[2]/8
variable fz atom -c_unwrapped[3]/8
fix f all addforce v_fx v_fy v_fz
dump a all custom 1 $units.lammpstrj id type element x y z fx fy fz
dump_modify a element Li Cl units yes time yes format float %.16g
END
  if [ $units = metal ]; then
    cat >> in.dumps <<END
dump b all custom 1 scaled.lammpstrj.gz id type xs ys zs fx fy fz
dump_modify b format float %.16g
dump c all custom 1 unwrapped.lammpstrj fx fy fz zu yu xu type id
dump_modify c format float %.16g
dump d all custom 1 unwrapped_scaled.lammpstrj id type xsu ysu zsu
dump_modify d format float %.16g
dump e all atom 1 atom.lammpstrj
END
  fi
  cat >> in.dumps <<END
run 0 post no
displace_atoms all move 0.5 0 0
reset_timestep 1
run 0 post no
END
  lmp -in in.dumps -log none -screen none
done
rm atoms.data in.dumps
