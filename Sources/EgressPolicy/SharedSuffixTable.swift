// This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not
// distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// The private section of the Public Suffix List (https://publicsuffix.org/list/public_suffix_list.dat) of 9 February 2023, as
// Debian 12 ships it (package publicsuffix 20230209.2326-1): names below which everybody may have a name of his own. Without
// its exceptions, `*.` in front left out, in xn-- form, sorted.

let sharedSuffixTable = """
  001www.com 0e.vc 0emm.com 1.azurestaticapps.net 123hjemmeside.dk 123hjemmeside.no 123homepage.it 123kotisivu.fi
  123minsida.se 123miweb.es 123paginaweb.pt 123sait.ru 123siteweb.fr 123webseite.at 123webseite.de 123website.be
  123website.ch 123website.lu 123website.nl 12hp.at 12hp.ch 12hp.de 1337.pictures 16-b.it 1kapp.com
  2.azurestaticapps.net 2038.io 2ix.at 2ix.ch 2ix.de 32-b.it 3utilities.com 4lima.at 4lima.ch 4lima.de 4u.com 611.to
  64-b.it a.prod.fastly.net a.run.app a.ssl.fastly.net abkhazia.su ac.leg.br ac.ru accesscam.org activetrail.biz
  adimo.co.uk adobeaemcloud.com adobeaemcloud.net adobeio-static.net adobeioruntime.net advisor.ws adygeya.ru adygeya.su
  ae.org affinitylottery.org.uk africa.com airkitapps-au.com airkitapps.com airkitapps.eu aivencloud.com akadns.net
  akamai-staging.net akamai.net akamaiedge-staging.net akamaiedge.net akamaihd-staging.net akamaihd.net
  akamaiorigin-staging.net akamaiorigin.net akamaized-staging.net akamaized.net aktyubinsk.su al.eu.org al.leg.br
  alces.network alp1.ae.flow.ch alpha-myqnapcloud.com alpha.bounty-full.com altervista.org alwaysdata.net am.leg.br
  amscompute.com angry.jp ap-northeast-1.elasticbeanstalk.com ap-northeast-2.elasticbeanstalk.com
  ap-northeast-3.elasticbeanstalk.com ap-south-1.elasticbeanstalk.com ap-southeast-1.elasticbeanstalk.com
  ap-southeast-2.elasticbeanstalk.com ap.leg.br api.gov.uk api.stdlib.com apigee.io app.banzaicloud.io app.gp
  app.lmpm.com app.os.fedoraproject.org app.os.stg.fedoraproject.org app.render.com appchizi.com appengine.flow.ch
  applinzi.com apps.fbsbx.com apps.lair.io appspacehosted.com appspaceusercontent.com appspot.com appudo.net ar.com
  arkhangelsk.su armenia.su art.pl arvo.network ashgabad.su asso.eu.org at-band-camp.net at.eu.org at.md at.vg ath.cx
  atl.jelastic.vps-host.net au.eu.org aus.basketball authgear-staging.com authgearapps.com autocode.dev awdev.ca
  awsglobalaccelerator.com awsmppl.com azerbaijan.su azimuth.network azure-mobile.net azurecontainer.io
  azurestaticapps.net azurewebsites.net b-data.io b.ssl.fastly.net ba.leg.br babyblue.jp babymilk.jp backdrop.jp
  backplaneapp.io backyards.banzaicloud.io balashov.su balena-devices.com bambina.jp banzai.cloud bar0.net bar1.net
  bar2.net barrel-of-knowledge.info barrell-of-knowledge.info barsy.bg barsy.ca barsy.club barsy.co.uk barsy.de barsy.eu
  barsy.in barsy.info barsy.io barsy.me barsy.menu barsy.mobi barsy.net barsy.online barsy.org barsy.pro barsy.pub
  barsy.ro barsy.shop barsy.site barsy.support barsy.uk barsycenter.com barsyonline.co.uk barsyonline.com base.ec
  base.shop bashkiria.ru bashkiria.su basicserver.io bc.platform.sh bci.dnstrace.pro be.ax be.eu.org be.gy
  beagleboard.io beep.pl beget.app beta.bounty-full.com beta.tailscale.net betainabox.com better-than.tv bg.eu.org
  bip.sh bir.ru bitbridge.net bitbucket.io bitter.jp biz.at biz.dk biz.gl biz.ua biz.wf blackbaudcdn.net blog.gt blog.kg
  blog.vu blogdns.com blogdns.net blogdns.org blogsite.org blogsite.xyz blogspot.ae blogspot.al blogspot.am blogspot.ba
  blogspot.be blogspot.bg blogspot.bj blogspot.ca blogspot.cf blogspot.ch blogspot.cl blogspot.co.at blogspot.co.id
  blogspot.co.il blogspot.co.ke blogspot.co.nz blogspot.co.uk blogspot.co.za blogspot.com blogspot.com.ar
  blogspot.com.au blogspot.com.br blogspot.com.by blogspot.com.co blogspot.com.cy blogspot.com.ee blogspot.com.eg
  blogspot.com.es blogspot.com.mt blogspot.com.ng blogspot.com.tr blogspot.com.uy blogspot.cv blogspot.cz blogspot.de
  blogspot.dk blogspot.fi blogspot.fr blogspot.gr blogspot.hk blogspot.hr blogspot.hu blogspot.ie blogspot.in
  blogspot.is blogspot.it blogspot.jp blogspot.kr blogspot.li blogspot.lt blogspot.lu blogspot.md blogspot.mk
  blogspot.mr blogspot.mx blogspot.my blogspot.nl blogspot.no blogspot.pe blogspot.pt blogspot.qa blogspot.re
  blogspot.ro blogspot.rs blogspot.ru blogspot.se blogspot.sg blogspot.si blogspot.sk blogspot.sn blogspot.td
  blogspot.tw blogspot.ug blogspot.vn blogsyte.com bloxcms.com bluebite.io blush.jp bmoattachments.org bnr.la
  boldlygoingnowhere.org boo.jp bookonline.app boomla.net bounceme.net bounty-full.com boutir.com boxfuse.io boy.jp
  boyfriend.jp bplaced.com bplaced.de bplaced.net br.com brasilia.me broke-it.net browsersafetymark.io bryansk.su
  bss.design build.run builder.code.com builtwithdark.com bukhara.su but.jp buyshop.jp buyshouses.net byen.site
  bzz.dapps.earth c.cdn77.org c.la c66.me ca-central-1.elasticbeanstalk.com ca.eu.org ca.reclaim.cloud caa.li
  cable-modem.org cafjs.com camdvr.org campaign.gov.uk candypop.jp canva-apps.cn canva-apps.com capoo.jp
  caracal.mythic-beasts.com carrd.co casacam.net cat.ax catfood.jp cbg.ru cc.hn cc.ua cd.eu.org cdn-edges.net
  cdn.prod.atlassian-dev.net cdn77-ssl.net ce.leg.br cechire.com centralus.azurestaticapps.net certmgr.org cf-ipfs.com
  ch.eu.org ch.tc ch.trendhosting.cloud channelsdvr.net cheap.jp chicappa.jp chillout.jp chimkent.su chips.jp
  chirurgiens-dentistes-en-france.fr chowder.jp chu.jp ciao.jp ciscofreak.com cistron.nl clan.rip clerk.app
  clerkstage.app cleverapps.io clicketcloud.com clickrising.net cloud-fr1.unispace.io cloud.fedoraproject.org cloud.goog
  cloud.interhostsolutions.be cloud.jelastic.open.tim.it cloud.metacentrum.cz cloud.nospamproxy.com cloud66.ws
  cloud66.zone cloudaccess.host cloudaccess.net cloudapp.net cloudapps.digital cloudcontrolapp.com cloudcontrolled.com
  cloudera.site cloudflare-ipfs.com cloudfront.net cloudfunctions.net cloudjiffy.net cloudns.asia cloudns.biz cloudns.cc
  cloudns.club cloudns.eu cloudns.in cloudns.info cloudns.org cloudns.pro cloudns.pw cloudns.us cloudsite.builders
  cloudycluster.net cn-north-1.eb.amazonaws.com.cn cn-northwest-1.eb.amazonaws.com.cn cn.com cn.eu.org cn.vu cnpy.gdn
  cns.joyent.com co.bn co.business co.ca co.com co.cz co.dk co.education co.events co.financial co.krd co.network co.nl
  co.no co.pl co.place co.ro co.technology co.ua cocotte.jp code.run codeberg.page codespot.com col.ng collegefan.org
  com.de com.ru com.se community-pro.de community-pro.net compute-1.amazonaws.com compute.amazonaws.com
  compute.amazonaws.com.cn compute.estate conf.se conn.uk coolblog.jp copro.uk couchpotatofries.org crafting.xyz
  cranky.jp crd.co cryptonomic.net cs.keliweb.cloud csx.cc cupcake.is curv.dev cust.dev.thingdust.io
  cust.disrec.thingdust.io cust.prod.thingdust.io cust.retrosnub.co.uk cust.testing.thingdust.io custom.metacentrum.cz
  customer-oci.com customer.mythic-beasts.com customer.speedpartner.de cutegirl.jp cx.ua cy.eu.org cya.gg cyon.link
  cyon.site cz.eu.org d.gv.vc daa.jp daemon.panel.gg dagestan.ru dagestan.su damnserver.com daplie.me dapps.earth
  database.run dattolocal.com dattolocal.net dattorelay.com dattoweb.com dd-dns.de ddns.me ddns.net ddns5.com
  ddnsfree.com ddnsgeek.com ddnsking.com ddnslive.com ddnss.de ddnss.org de.com de.cool de.eu.org de.gt de.ls de.md
  de.trendhosting.cloud debian.net deca.jp deci.jp dedibox.fr dedyn.io definima.io definima.net demo.datacenter.fi
  demo.datadetect.com demo.jelastic.com demon.nl deno-staging.dev deno.dev deta.app deta.dev dev-builder.code.com
  dev-myqnapcloud.com dev.adobeaemcloud.com dev.static.land dev.vu devcdnaccesso.com developer.app development.run
  devices.resinstaging.io df.leg.br dh.bytemark.co.uk diadem.cloud digick.jp digitaloceanspaces.com diher.solutions
  direct.quickconnect.cn direct.quickconnect.to discordsays.com discordsez.com discourse.group discourse.team
  diskstation.eu diskstation.me diskstation.org diskussionsbereich.de ditchyourip.com dk.eu.org dnsalias.com
  dnsalias.net dnsalias.org dnsdojo.com dnsdojo.net dnsdojo.org dnsfor.me dnshome.de dnsiskinky.com dnsking.ch dnsup.net
  dnsupdate.info dnsupdater.de does-it.net doesntexist.com doesntexist.org dontexist.com dontexist.net dontexist.org
  doomdns.com doomdns.org dopaas.com dray-dns.de drayddns.com draydns.de dreamhosters.com drr.ac drud.io drud.us
  dscloud.biz dscloud.me dscloud.mobi dsmynas.com dsmynas.net dsmynas.org duckdns.org dvrcam.info dvrdns.org dweb.link
  dy.fi dyn-berlin.de dyn-ip24.de dyn-o-saur.com dyn-vpn.de dyn.cosidns.de dyn.ddnss.de dyn.home-webserver.de dyn53.io
  dynalias.com dynalias.net dynalias.org dynamic-dns.info dynamisches-dns.de dynathome.net dyndns-at-home.com
  dyndns-at-work.com dyndns-blog.com dyndns-free.com dyndns-home.com dyndns-ip.com dyndns-mail.com dyndns-office.com
  dyndns-pics.com dyndns-remote.com dyndns-server.com dyndns-web.com dyndns-wiki.com dyndns-work.com dyndns.biz
  dyndns.dappnode.io dyndns.ddnss.de dyndns.info dyndns.org dyndns.tv dyndns.ws dyndns1.de dynns.com dynserv.org
  dynu.net dynv6.net dynvpn.de e4.cz east-kazakhstan.su eastasia.azurestaticapps.net eastus2.azurestaticapps.net
  easypanel.app easypanel.host eating-organic.net ecommerce-shop.pl edgeapp.net edgecompute.app edgekey-staging.net
  edgekey.net edgestack.me edgesuite-staging.net edgesuite.net editorx.io edu.eu.org edu.krd edu.ru edu.scot edugit.io
  ee.eu.org eero-stage.online eero.online egoism.jp elasticbeanstalk.com elb.amazonaws.com elb.amazonaws.com.cn
  elementor.cloud elementor.cool en-root.fr encoreapi.com encr.app endofinternet.net endofinternet.org
  endoftheinternet.org enscaled.sg ent.platform.sh enterprisecloud.nu es-1.axarnet.cloud es.ax es.eu.org es.leg.br
  est-a-la-maison.com est-a-la-masion.com est-le-patron.com est-mon-blogueur.com eu-1.evennode.com eu-2.evennode.com
  eu-3.evennode.com eu-4.evennode.com eu-central-1.elasticbeanstalk.com eu-west-1.elasticbeanstalk.com
  eu-west-2.elasticbeanstalk.com eu-west-3.elasticbeanstalk.com eu.ax eu.com eu.encoway.cloud eu.meteorapp.com eu.org
  eu.platform.sh eu.pythonanywhere.com eurodir.ru ex.futurecms.at ex.ortsinfo.at exnet.su ezproxy.kuleuven.be fakefur.jp
  familyds.com familyds.net familyds.org fantasyleague.cc fashionstore.jp fastly-edge.com fastly-terrarium.com
  fastlylb.net faststacks.net fastvps-server.com fastvps.host fastvps.site fbx-os.fr fbxos.fr fedorainfracloud.org
  fedorapeople.org fem.jp fentiger.mythic-beasts.com feste-ip.net fh-muenster.io fi.cloudplatform.fi fi.eu.org
  filegear-au.me filegear-de.me filegear-gb.me filegear-ie.me filegear-jp.me filegear-sg.me filegear.me fin.ci
  firebaseapp.com firenet.ch firewall-gateway.com firewall-gateway.de firewall-gateway.net firewalledreplit.co
  fireweb.app firm.dk firm.ng flap.id fldrv.com flier.jp floppy.jp flt.cloud.muni.cz fly.dev flynnhosting.net
  fnc.fr-par.scw.cloud fnwk.site folionetwork.site fool.jp for-better.biz for-more.biz for-our.info for-some.biz
  for-the.biz forgeblocks.com forgot.her.name forgot.his.name forte.id forumz.info fr-1.paas.massivegrid.net
  fr-par-1.baremetal.scw.cloud fr-par-2.baremetal.scw.cloud fr.eu.org fra1-de.cloudjiffy.net framer.app framer.media
  framer.photos framer.website framer.wiki framercanvas.com free.hr freebox-os.com freebox-os.fr freeboxos.com
  freeboxos.fr freeddns.org freeddns.us freedesktop.org freemyip.com freesite.host freetls.fastly.net frenchkiss.jp
  from-ak.com from-al.com from-ar.com from-az.net from-ca.com from-co.net from-ct.com from-dc.com from-de.com
  from-fl.com from-ga.com from-hi.com from-ia.com from-id.com from-il.com from-in.com from-ks.com from-ky.com
  from-la.net from-ma.com from-md.com from-me.org from-mi.com from-mn.com from-mo.com from-ms.com from-mt.com
  from-nc.com from-nd.com from-ne.com from-nh.com from-nj.com from-nm.com from-nv.com from-ny.net from-oh.com
  from-ok.com from-or.com from-pa.com from-pr.com from-ri.com from-sc.com from-sd.com from-tn.com from-tx.com
  from-ut.com from-va.com from-vt.com from-wa.com from-wi.com from-wv.com from-wy.com frusky.de ftpaccess.cc
  fuettertdasnetz.de functions.fnc.fr-par.scw.cloud futurecms.at futurehosting.at futuremailing.at g.vbrplsbx.io
  game-host.org game-server.cc gateway.dev gb.net gda.pl gdansk.pl gdynia.pl geekgalaxy.com gehirn.ne.jp gen.ng
  gentapps.com gentlentapis.com georgia.su getmyip.com gets-it.net gg.ax ghost.io giize.com girlfriend.jp girly.jp
  git-pages.rit.edu git-repos.de gitapp.si github.io githubpreview.dev githubusercontent.com gitlab.io gitpage.si
  gleeze.com glitch.me gliwice.pl global.prod.fastly.net global.ssl.fastly.net gloomy.jp glug.org.uk go.dyndns.org
  go.leg.br goip.de golffan.us gonna.jp googleapis.com googlecode.com gotdns.ch gotdns.com gotdns.org gotpantheon.com
  goupile.fr gov.nl gov.ru gov.scot gr.com gr.eu.org graphox.us greater.jp groks-the.info groks-this.info grozny.ru
  grozny.su gsj.bz gv.vc hacca.jp half.host ham-radio-op.net handcrafted.jp hashbang.sh hasura-app.io hasura.app
  hb.cldmail.ru health-carereform.com heavy.jp hepforge.org her.jp here-for-more.info herokuapp.com herokussl.com
  heteml.net hicam.net hidora.com hiho.jp hippy.jp hk.com hk.org hlx.live hlx.page hlx3.page hobby-site.com
  hobby-site.org holy.jp home-webserver.de home.dyndns.org homedns.org homeftp.net homeftp.org homeip.net homelink.one
  homelinux.com homelinux.net homelinux.org homeoffice.gov.uk homesecuritymac.com homesecuritypc.com homesklep.pl
  homeunix.com homeunix.net homeunix.org hoplix.shop hopto.me hopto.org hosp.uk hostedpi.com hosting-cluster.nl
  hosting.myjino.ru hosting.ovh.net hostyhosting.io hotelwithflight.com hr.eu.org hra.health hs.run hs.zone httpbin.org
  hu.com hu.eu.org hu.net hungry.jp hzc.io i234.me iamallama.com ibxos.it icurus.jp id.firewalledreplit.co
  id.forgerock.io id.repl.co ie.eu.org iki.fi il.eu.org iliadboxos.it ilovecollege.info impertrix.com impertrixcdn.com
  in-berlin.de in-brb.de in-butter.de in-dsl.de in-dsl.net in-dsl.org in-the-band.net in-vpn.de in-vpn.net in-vpn.org
  in.eu.org in.futurecms.at in.net inc.hk independent-commission.uk independent-inquest.uk independent-inquiry.uk
  independent-panel.uk independent-review.uk indie.porn inf.ua info.at info.cx instance.datadetect.com
  instances.spawn.cc instantcloud.cn int.eu.org int.ru internet-dns.de io.kg iobb.net iopsys.se ip.linodeusercontent.com
  ipifony.net is-a-anarchist.com is-a-blogger.com is-a-bookkeeper.com is-a-bruinsfan.org is-a-bulls-fan.com
  is-a-candidate.org is-a-caterer.com is-a-celticsfan.org is-a-chef.com is-a-chef.net is-a-chef.org
  is-a-conservative.com is-a-cpa.com is-a-cubicle-slave.com is-a-democrat.com is-a-designer.com is-a-doctor.com
  is-a-financialadvisor.com is-a-geek.com is-a-geek.net is-a-geek.org is-a-green.com is-a-guru.com is-a-hard-worker.com
  is-a-hunter.com is-a-knight.org is-a-landscaper.com is-a-lawyer.com is-a-liberal.com is-a-libertarian.com
  is-a-linux-user.org is-a-llama.com is-a-musician.com is-a-nascarfan.com is-a-nurse.com is-a-painter.com
  is-a-patsfan.org is-a-personaltrainer.com is-a-photographer.com is-a-player.com is-a-republican.com is-a-rockstar.com
  is-a-socialist.com is-a-soxfan.org is-a-student.com is-a-teacher.com is-a-techie.com is-a-therapist.com
  is-an-accountant.com is-an-actor.com is-an-actress.com is-an-anarchist.com is-an-artist.com is-an-engineer.com
  is-an-entertainer.com is-by.us is-certified.com is-found.org is-gone.com is-into-anime.com is-into-cars.com
  is-into-cartoons.com is-into-games.com is-leet.com is-lost.org is-not-certified.com is-saved.org is-slick.com
  is-uberleet.com is-very-bad.org is-very-evil.org is-very-good.org is-very-nice.org is-very-sweet.org
  is-with-theband.com is.eu.org isa-geek.com isa-geek.net isa-geek.org isa-hockeynut.com iserv.dev iservschule.de
  issmarterthanyou.com isteingeek.de istmein.de it.com it.eu.org it1.eur.aruba.jenv-aruba.cloud it1.jenv-aruba.cloud
  itcouldbewor.se itigo.jp ivanovo.su j.layershift.co.uk j.scaleforce.com.cy j.scaleforce.net jambyl.su jc.neen.it
  jcloud-ver-jpc.ik-server.com jcloud.ik-server.com jcloud.kz jdevcloud.com jed.wafaicloud.com jelastic.dogado.eu
  jelastic.regruhosting.ru jelastic.saveincloud.net jelastic.team jelastic.tsukaeru.net jele.cloud jele.club jele.host
  jele.io jele.site jellybean.jp jls-sto1.elastx.net jls-sto2.elastx.net jls-sto3.elastx.net jotelulu.cloud jozi.biz
  jp.eu.org jp.kg jp.md jp.net jpn.com js.org js.wpenginepowered.com ju.mp k8s.fr-par.scw.cloud k8s.nl-ams.scw.cloud
  k8s.pl-waw.scw.cloud k8s.scw.cloud kaas.gg kalmykia.ru kalmykia.su kaluga.su kapsi.fi karacol.su karaganda.su
  karelia.su kasserver.com kawaiishop.jp keliweb.cloud keymachine.de khakassia.su khplay.nl kicks-ass.net kicks-ass.org
  kikirara.jp kilatiron.com kill.jp kilo.jp kinghost.net knightpoint.systems knowsitall.info knx-server.net
  koobin.events kozow.com kr.com kr.eu.org krakow.pl krasnik.pl krasnodar.su krellian.net ktistory.com kuleuven.cloud
  kunden.ortsinfo.at kurgan.su kuron.jp kustanai.ru kustanai.su l-o-g-i-n.de lab.ms land-4-sale.us landing.myjino.ru
  lcl.dev lclstage.dev lcube-server.de leadpages.co lebtimnetz.de leczna.pl leitungsen.de lelux.site lenug.su lib.de.us
  likes-pie.com likescandy.com lima-city.at lima-city.ch lima-city.de lima-city.rocks lima.zone linkyard-cloud.ch
  linkyard.cloud linodeobjects.com littlestar.jp lk3.ru localhost.daplie.me localzone.xyz loginline.app loginline.dev
  loginline.io loginline.services loginline.site loginto.me logoip.com logoip.de lohmus.me lolipop.io lolipopmc.jp
  lolitapunk.jp lomo.jp lon-1.paas.massivegrid.net lon-2.paas.massivegrid.net lon.wafaicloud.com
  london.cloudapps.digital loseyourip.com lovepop.jp lovesick.jp lpages.co lpusercontent.com lt.eu.org ltd.hk ltd.ng
  ltd.ua lu.eu.org lubartow.pl lublin.pl lug.org.uk lugs.org.uk lv.eu.org lynx.mythic-beasts.com ma.leg.br
  magentosite.cloud magnet.page main.jp mangyshlak.su map.fastly.net map.fastlylb.net marine.ru mayfirst.info
  mayfirst.org mazeplay.com mc.ax mc.eu.org mcdir.me mcdir.ru mcpe.me mcpre.ru me.eu.org me.tc me.vu med.pl mediatech.by
  mediatech.dev mein-iserv.de mein-vigor.de meinforum.net mel.cloudlets.com.au members.linode.com memset.net merseine.nu
  messerli.app messwithdns.com meteorapp.com mex.com mg.leg.br migration.run mil.ru mine.nu miniserver.com minisite.ms
  mintere.site mircloud.host mircloud.ru mircloud.us misconfused.org mk.eu.org mlbfan.org mmafan.biz mo-siemens.io
  mock.pstmn.io mods.jp mond.jp mongolian.jp moo.jp moonscale.io moonscale.net mordovia.ru mordovia.su mozilla-iot.org
  ms.leg.br msk.ru msk.su mt.eu.org mt.leg.br murmansk.su musician.io my-firewall.org my-gateway.de my-router.de
  my-vigor.de my-wan.de my.eu.org myactivedirectory.com myamaze.net myasustor.com mycd.eu mycloud.by mydatto.com
  mydatto.net myddns.rocks mydissent.net mydobiss.com mydrobo.com myds.me myeffect.net myfast.host myfast.space
  myfirewall.org myforum.community myfritz.net myftp.biz myftp.org myhome-server.de myiphost.com myjino.ru
  mymailer.com.tw mymediapc.net mypep.link mypets.ws myphotos.cc mypi.co mypsx.net myqnapcloud.com mysecuritycamera.com
  mysecuritycamera.net mysecuritycamera.org myshopblocks.com myshopify.com myspreadshop.at myspreadshop.be
  myspreadshop.ca myspreadshop.ch myspreadshop.co.uk myspreadshop.com myspreadshop.com.au myspreadshop.de
  myspreadshop.dk myspreadshop.es myspreadshop.fi myspreadshop.fr myspreadshop.ie myspreadshop.it myspreadshop.net
  myspreadshop.nl myspreadshop.no myspreadshop.pl myspreadshop.se mytabit.co.il mytabit.com mytis.ru mytuleap.com
  myvnc.com mywire.org n4t.co na4u.ru nalchik.ru nalchik.su namaste.jp name.pm navoi.su neat-url.com neko.am nerdpol.ovh
  net-freaks.com net.eu.org net.ru netlify.app nflfan.org nfshost.com ng.eu.org ngo.ng ngrok.io nh-serv.co.uk nhlfan.net
  nid.io nikita.jp njs.jelastic.vps-host.net nl-ams-1.baremetal.scw.cloud nl.ci nl.eu.org no-ip.biz no-ip.ca no-ip.co.uk
  no-ip.info no-ip.net no-ip.org no.com no.eu.org nobushi.jp nodebalancer.linode.com nodes.k8s.fr-par.scw.cloud
  nodes.k8s.nl-ams.scw.cloud nodes.k8s.pl-waw.scw.cloud nog.community noho.st nohost.me noip.me noip.us noop.app noor.jp
  nordeste-idc.saveincloud.net north-kazakhstan.su northflank.app noticeable.news nov.ru nov.su novecore.site
  now-dns.net now-dns.org now-dns.top now.sh nsupdate.info ntdll.top ny-1.paas.massivegrid.net ny-2.paas.massivegrid.net
  nyaa.am nyan.to nyc.mn nz.basketball nz.eu.org obninsk.su ocelot.mythic-beasts.com oci.customer-oci.com
  ocp.customer-oci.com ocs.customer-oci.com of.je office-on-the.net official.academy official.ec omg.lol omniwe.site
  on-acorn.io on-aptible.com on-k3s.io on-rancher.cloud on-rio.io on-the-web.tv on-web.fr onavstack.net
  oncilla.mythic-beasts.com ondigitalocean.app onfabrica.com onflashdrive.app online.th onporter.run onred.one
  onrender.com onthewifi.com onza.mythic-beasts.com ooguy.com oops.jp opencraft.hosting opensocial.site operaunite.com
  orangecloud.tn org.ru org.yt orsites.com orx.biz otap.co outsystemscloud.com own.pm ownip.net ownprovider.com
  owo.codes ox.rs oxa.cloud oy.lc oya.to pa.leg.br paas.beebyte.io paas.datacenter.fi paas.hosted-by-previder.com
  paas.massivegrid.com pagefrontapp.com pages.dev pages.it.hs-heilbronn.de pages.torproject.net pages.wiardweb.com
  pagespeedmobilizer.com pagexl.com panel.gg pantheonsite.io parallel.jp parasite.jp paris.eu.org paywhirl.com pb.leg.br
  pcloud.host pdns.page pe.leg.br pecori.jp peewee.jp penne.jp penza.su pepper.jp perma.jp perspecta.cloud pgafan.net
  pgfog.com phx.enscaled.us pi.leg.br pigboat.jp pimienta.org pinoko.jp pixolino.com pl.eu.org platform0.app
  platformsh.site platter-app.com platter-app.dev platterp.us playstation-cloud.com plesk.page pleskns.com podzone.net
  podzone.org point2this.com pointto.us poivron.org pokrovsk.su poniatowa.pl postman-echo.com potager.org poznan.pl
  pp.ru pp.ua pr.leg.br prequalifyme.today primetel.cloud priv.at priv.instances.scw.cloud privatelink.snowflake.app
  privatizehealthinsurance.net pro.typeform.com protonet.io prvcy.page pstmn.io pt.eu.org pub.instances.scw.cloud
  public-inquiry.uk publishproxy.com pubtls.org punyu.jp pupu.jp pussycat.jp pya.jp pyatigorsk.ru pymnt.uk
  pythonanywhere.com q-a.eu.org qa2.com qbuser.com qc.com qcx.io qoto.io qualifioapp.com quicksytes.com quipelements.com
  r.appspot.com r.cdn77.net r2.dev rackmaze.com rackmaze.net radio.am radio.fm raffleentry.org.uk
  rag-cloud-ch.hosteur.com rag-cloud.hosteur.com raindrop.jp ras.ru ravendb.cloud ravendb.community ravendb.me
  ravendb.run ravpage.co.il rdv.to read-books.org readmyblog.org readthedocs.io readymade.jp realm.cz redirectme.net
  reg.dk remotewd.com repl.co repl.run reservd.com reservd.dev.thingdust.io reservd.disrec.thingdust.io
  reservd.testing.thingdust.io reserve-online.com reserve-online.net resindevice.io rhcloud.com
  ric.jelastic.vps-host.net rj.leg.br rn.leg.br ro.eu.org ro.im ro.leg.br rocky.page router.management
  royal-commission.uk rr.leg.br rs.ba rs.leg.br rsc.cdn77.org rss.my.id ru.com ru.eu.org ru.net run.app
  ryd.wafaicloud.com s3-ap-northeast-1.amazonaws.com s3-ap-northeast-2.amazonaws.com s3-ap-south-1.amazonaws.com
  s3-ap-southeast-1.amazonaws.com s3-ap-southeast-2.amazonaws.com s3-ca-central-1.amazonaws.com
  s3-eu-central-1.amazonaws.com s3-eu-west-1.amazonaws.com s3-eu-west-2.amazonaws.com s3-eu-west-3.amazonaws.com
  s3-external-1.amazonaws.com s3-fips-us-gov-west-1.amazonaws.com s3-sa-east-1.amazonaws.com s3-us-east-2.amazonaws.com
  s3-us-gov-west-1.amazonaws.com s3-us-west-1.amazonaws.com s3-us-west-2.amazonaws.com
  s3-website-ap-northeast-1.amazonaws.com s3-website-ap-southeast-1.amazonaws.com
  s3-website-ap-southeast-2.amazonaws.com s3-website-eu-west-1.amazonaws.com s3-website-sa-east-1.amazonaws.com
  s3-website-us-east-1.amazonaws.com s3-website-us-west-1.amazonaws.com s3-website-us-west-2.amazonaws.com
  s3-website.ap-northeast-2.amazonaws.com s3-website.ap-south-1.amazonaws.com s3-website.ca-central-1.amazonaws.com
  s3-website.eu-central-1.amazonaws.com s3-website.eu-west-2.amazonaws.com s3-website.eu-west-3.amazonaws.com
  s3-website.fr-par.scw.cloud s3-website.nl-ams.scw.cloud s3-website.pl-waw.scw.cloud s3-website.us-east-2.amazonaws.com
  s3.amazonaws.com s3.ap-northeast-2.amazonaws.com s3.ap-south-1.amazonaws.com s3.ca-central-1.amazonaws.com
  s3.cn-north-1.amazonaws.com.cn s3.dualstack.ap-northeast-1.amazonaws.com s3.dualstack.ap-northeast-2.amazonaws.com
  s3.dualstack.ap-south-1.amazonaws.com s3.dualstack.ap-southeast-1.amazonaws.com
  s3.dualstack.ap-southeast-2.amazonaws.com s3.dualstack.ca-central-1.amazonaws.com
  s3.dualstack.eu-central-1.amazonaws.com s3.dualstack.eu-west-1.amazonaws.com s3.dualstack.eu-west-2.amazonaws.com
  s3.dualstack.eu-west-3.amazonaws.com s3.dualstack.sa-east-1.amazonaws.com s3.dualstack.us-east-1.amazonaws.com
  s3.dualstack.us-east-2.amazonaws.com s3.eu-central-1.amazonaws.com s3.eu-west-2.amazonaws.com
  s3.eu-west-3.amazonaws.com s3.fr-par.scw.cloud s3.nl-ams.scw.cloud s3.pl-waw.scw.cloud s3.teckids.org
  s3.us-east-2.amazonaws.com s5y.io sa-east-1.elasticbeanstalk.com sa.com sadist.jp sandcats.io saves-the-whales.com
  sc.leg.br scalebook.scw.cloud sch.so sch.tf sch.wf schokokeks.net schoolbus.jp schulplattform.de schulserver.de
  scrapper-site.net scrapping.cc scrysec.com sdscloud.pl se.eu.org se.leg.br se.net secaas.hk secret.jp
  securitytactics.com seidat.net sekd1.beebyteapp.io selfip.biz selfip.com selfip.info selfip.net selfip.org
  sellfy.store sells-for-less.com sells-for-u.com sells-it.net sellsyourhome.org senseering.net sensiosite.cloud
  servebbs.com servebbs.net servebbs.org servebeer.com serveblog.net servecounterstrike.com serveexchange.com
  serveftp.com serveftp.net serveftp.org servegame.com servegame.org servehalflife.com servehttp.com servehumour.com
  serveirc.com serveminecraft.net servemp3.com servep2p.com servepics.com servequake.com servers.run servesarcasm.com
  service.gov.scot service.gov.uk service.one sg-1.paas.massivegrid.net shacknet.nu shiftcrypto.dev shiftcrypto.io
  shiftedit.io shop.brendly.rs shop.ro shop.th shoparena.pl shopitsite.com shopselect.net shopware.store shw.io
  si.eu.org siiites.com simple-url.com simplesite.com simplesite.com.br simplesite.gr simplesite.pl sinaapp.com
  site.tb-hosting.com site.transip.me siteleaf.net sites.static.land sk.eu.org skygearapp.com small-web.org
  smartlabeling.scw.cloud smushcdn.com snowflake.app soc.srcf.net sochi.su sopot.pl soundcast.me sp.leg.br
  space-to-rent.com spacekit.io spb.ru spb.su spdns.de spdns.eu spdns.org spectrum.myjino.ru sphinx.mythic-beasts.com
  square7.ch square7.de square7.net srht.site ssl.origin.cdn77-secure.org staba.jp stackhero-network.com
  stage.nodeart.io staging.onred.one static-access.net static.land static.observableusercontent.com statics.cloud
  stg-builder.code.com stg.dev stgstage.dev stolos.io storage.yandexcloud.net store.dk storebase.store storj.farm
  streamlit.app streamlitapp.com stripper.jp stuff-4-sale.org stuff-4-sale.us stufftoread.com su.paba.se sub.jp
  sunnyday.jp supabase.co supabase.in supabase.net supersale.jp svc.firenet.ch svn-repos.de sweetpepper.org swidnik.pl
  syncloud.it syno-ds.de synology-diskstation.de synology-ds.de synology.me sys.qcx.io sytes.net t3l3p0rt.net
  tabitorder.co.il taifun-dns.de tashkent.su tcp4.me teaches-yoga.com tech.orange tele.amune.org telebit.app telebit.io
  telebit.xyz temp-dns.com tempurl.host termez.su test-iserv.de test.ru theshop.jp theworkpc.com thick.jp
  thingdustdata.com thruhere.net tickets.io tlon.network tn.oxa.cloud to.gt to.leg.br to.md togliatti.su tonkotsu.jp
  toolforge.org torproject.net townnews-staging.com tr.eu.org traeumtgerade.de trafficplex.cloud translate.goog
  translated.page transurl.be transurl.eu transurl.nl triton.zone troitsk.su try-snowplow.com trycloudflare.com ts.net
  tselinograd.su tst.site tula.su tuleap-partners.com tunk.org tuva.su tuxfamily.org tv.kg twmail.cc twmail.net
  twmail.org typedream.app u.channelsdvr.net u2-local.xnbay.com u2.xnbay.com ua.rs uber.space uberspace.de ufcfan.org
  ui.nabu.casa uk.com uk.eu.org uk.kg uk.net uk.oxa.cloud uk.primetel.cloud uk.reclaim.cloud uk0.bigv.io under.jp
  uni5.net unicloud.pl unusualperson.com upaas.kazteleport.kz upli.io upper.jp url.tw urown.cloud us-1.evennode.com
  us-2.evennode.com us-3.evennode.com us-4.evennode.com us-east-1.amazonaws.com us-east-1.elasticbeanstalk.com
  us-east-2.elasticbeanstalk.com us-gov-west-1.elasticbeanstalk.com us-west-1.elasticbeanstalk.com
  us-west-2.elasticbeanstalk.com us.ax us.com us.eu.org us.kg us.org us.platform.sh us.reclaim.cloud user.aseinet.ne.jp
  user.fm user.localcert.dev user.party.eus user.srcf.net usercontent.goog usercontent.jp
  users.scale.virtualcloud.com.br usr.cloud.muni.cz utwente.io uwu.ai uy.com v-info.info v.ua vapor.cloud vaporcloud.io
  velvet.jp vercel.app vercel.dev verse.jp versus.jp vfs.cloud9.af-south-1.amazonaws.com
  vfs.cloud9.ap-east-1.amazonaws.com vfs.cloud9.ap-northeast-1.amazonaws.com vfs.cloud9.ap-northeast-2.amazonaws.com
  vfs.cloud9.ap-northeast-3.amazonaws.com vfs.cloud9.ap-south-1.amazonaws.com vfs.cloud9.ap-southeast-1.amazonaws.com
  vfs.cloud9.ap-southeast-2.amazonaws.com vfs.cloud9.ca-central-1.amazonaws.com vfs.cloud9.eu-central-1.amazonaws.com
  vfs.cloud9.eu-north-1.amazonaws.com vfs.cloud9.eu-south-1.amazonaws.com vfs.cloud9.eu-west-1.amazonaws.com
  vfs.cloud9.eu-west-2.amazonaws.com vfs.cloud9.eu-west-3.amazonaws.com vfs.cloud9.me-south-1.amazonaws.com
  vfs.cloud9.sa-east-1.amazonaws.com vfs.cloud9.us-east-1.amazonaws.com vfs.cloud9.us-east-2.amazonaws.com
  vfs.cloud9.us-west-1.amazonaws.com vfs.cloud9.us-west-2.amazonaws.com vip.jelastic.cloud vipsinaapp.com
  virtual-user.de virtualserver.io virtualuser.de vivian.jp vladikavkaz.ru vladikavkaz.su vladimir.ru vladimir.su
  vm.bytemark.co.uk vologda.su voorloper.cloud vp4.me vpndns.net vpnplus.to vps-host.net vps.mcdir.ru vps.myjino.ru
  vs.mythic-beasts.com vultrobjects.com vxl.sh wafflecell.com watson.jp we.bs we.tc web.app web.in webhare.dev
  webhop.biz webhop.info webhop.me webhop.net webhop.org webhosting.be weblike.jp webpaas.ovh.net webredirect.org
  website.yandexcloud.net webspace.rocks webthings.io webview-assets.cloud9.af-south-1.amazonaws.com
  webview-assets.cloud9.ap-east-1.amazonaws.com webview-assets.cloud9.ap-northeast-1.amazonaws.com
  webview-assets.cloud9.ap-northeast-2.amazonaws.com webview-assets.cloud9.ap-northeast-3.amazonaws.com
  webview-assets.cloud9.ap-south-1.amazonaws.com webview-assets.cloud9.ap-southeast-1.amazonaws.com
  webview-assets.cloud9.ap-southeast-2.amazonaws.com webview-assets.cloud9.ca-central-1.amazonaws.com
  webview-assets.cloud9.eu-central-1.amazonaws.com webview-assets.cloud9.eu-north-1.amazonaws.com
  webview-assets.cloud9.eu-south-1.amazonaws.com webview-assets.cloud9.eu-west-1.amazonaws.com
  webview-assets.cloud9.eu-west-2.amazonaws.com webview-assets.cloud9.eu-west-3.amazonaws.com
  webview-assets.cloud9.me-south-1.amazonaws.com webview-assets.cloud9.sa-east-1.amazonaws.com
  webview-assets.cloud9.us-east-1.amazonaws.com webview-assets.cloud9.us-east-2.amazonaws.com
  webview-assets.cloud9.us-west-1.amazonaws.com webview-assets.cloud9.us-west-2.amazonaws.com wedeploy.io wedeploy.me
  wedeploy.sh weeklylottery.org.uk wellbeingzone.co.uk wellbeingzone.eu west1-us.cloudjiffy.net
  westeurope.azurestaticapps.net westus2.azurestaticapps.net whitesnow.jp whm.fr-par.scw.cloud whm.nl-ams.scw.cloud
  wien.funkfeuer.at withgoogle.com withyoutube.com wixsite.com wmcloud.org wmflabs.org wnext.app woltlab-demo.com
  workers.dev workisboring.com worse-than.tv wpdevcloud.com wpenginepowered.com wphostedmail.com wpmucdn.com
  wpmudev.host writesthisblog.com wroc.pl x.mythic-beasts.com x443.pw xen.prgmr.com xn--41a.xn--p1acf
  xn--80aaa0cvac.xn--p1acf xn--90a1af.xn--p1acf xn--90amc.xn--p1acf xn--c1avg.xn--p1acf xn--gnstigbestellen-zvb.de
  xn--gnstigliefern-wob.de xn--h1ahn.xn--p1acf xn--h1aliz.xn--p1acf xn--hkkinen-5wa.fi xn--j1adp.xn--p1acf
  xn--j1aef.xn--p1acf xn--j1ael8b.xn--p1acf xnbay.com xs4all.space xx.gl xy.ax yali.mythic-beasts.com yandexcloud.net
  ybo.faith ybo.party ybo.review ybo.science ybo.trade ynh.fr yolasite.com yombo.me za.bz za.com za.net za.org
  zakopane.pl zapto.org zapto.xyz zombie.jp
  """
