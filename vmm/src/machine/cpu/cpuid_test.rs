use super::*;

fn leaf(function: u32, index: u32) -> kvm_cpuid_entry2 {
    kvm_cpuid_entry2 {
        function,
        index,
        eax: 0x121,
        ebx: 0x8000_1234,
        ecx: 0xf00f,
        ..Default::default()
    }
}

#[test]
fn every_vcpu_has_its_apic_id_and_the_core_count() {
    let supported =
        CpuId::from_entries(&[leaf(1, 0), leaf(0xb, 0), leaf(0xb, 1), leaf(0x8000_0008, 0)])
            .unwrap();
    let cpuid = for_vcpu(&supported, 2, 3, true);
    let [basic, threads, cores, amd] = cpuid.as_slice() else {
        panic!("leaves were lost")
    };
    assert_eq!(basic.ebx, 0x0203_1234);
    assert_eq!(basic.edx & (1 << 28), 1 << 28);
    assert_eq!(basic.ecx & (1 << 31), 1 << 31);
    assert_eq!(basic.ecx & (1 << 24), 1 << 24);
    assert_eq!(
        (threads.eax, threads.ebx, threads.ecx, threads.edx),
        (0, 1, 0x100, 2)
    );
    assert_eq!(
        (cores.eax, cores.ebx, cores.ecx, cores.edx),
        (2, 3, 0x201, 2)
    );
    assert_eq!(amd.ecx & 0xf0ff, 0x2002);
}

#[test]
fn a_single_vcpu_has_no_siblings() {
    let supported = CpuId::from_entries(&[leaf(1, 0), leaf(4, 0)]).unwrap();
    let cpuid = for_vcpu(&supported, 0, 1, false);
    assert_eq!(cpuid.as_slice()[0].edx & (1 << 28), 0);
    assert_eq!(cpuid.as_slice()[1].eax >> 14, 0);
}

#[test]
fn a_guest_is_not_offered_guests_of_its_own() {
    let everything = |function| kvm_cpuid_entry2 {
        function,
        eax: !0,
        ebx: !0,
        ecx: !0,
        edx: !0,
        ..Default::default()
    };
    let supported = [0x1, 0x8000_0001, 0x8000_000a].map(everything);
    let cpuid = for_vcpu(&CpuId::from_entries(&supported).unwrap(), 0, 1, true);
    let [basic, extended, svm] = cpuid.as_slice() else {
        panic!("leaves were lost")
    };
    assert_eq!(basic.ecx, !(1 << 5));
    assert_eq!(extended.ecx, !(1 << 2));
    assert_eq!((svm.eax, svm.ebx, svm.ecx, svm.edx), (0, 0, 0, 0));
}
